// The dashboard: GET /meta, GET /actions and GET /action/{id}, looked at every two seconds while the page is seen.
// Every text goes into the page as text. The page's policy refuses anything else.

const CALLS = {
  meta: "GET /meta",
  list: "GET /actions",
  action: "GET /action/{id}",
  cancel: "DELETE /action/{id}",
  redeliver: "POST /action/{id}/redeliver",
  redrive: "POST /failed/redrive",
  pause: "POST /processors/{id}/pause",
  resume: "POST /processors/{id}/resume",
};

const POLL_MS = 2_000;
const REQUEST_MS = 15_000;
// More of a payload would make the page slow, and nobody reads it here.
const MOST_SHOWN = 20_000;
const STATUSES = ["", "queued", "running", "failed", "partial", "succeeded", "cancelled"];
const TONES = {
  active: "good", unhealthy: "bad", paused: "warn", draining: "warn",
  queued: "", running: "busy", succeeded: "good", partial: "warn", failed: "bad", cancelled: "",
  waiting: "", ready: "", skipped: "warn", not_reached: "",
  none: "", pending: "busy", delivered: "good", exhausted: "bad",
};

const $ = (id) => document.getElementById(id);
const state = { filter: { status: "", target: "", label: "" }, cursors: [], next: null, action: null, skew: 0 };

// ---- Requests: the one place that knows the key.

const KEY = "baton.key";

class Refused extends Error {
  constructor(status, problem) {
    const fields = problem.errors?.map(({ path, message }) => `${path} ${message}`);
    super(fields?.length ? `${fields.join("; ")}.` : (problem.detail ?? ""));
    this.status = status;
    this.code = problem.code ?? "";
    this.title = problem.title ?? `The manager answered ${status}`;
  }
}

async function call(name, { id, query, body } = {}) {
  const [method, template] = CALLS[name].split(" ");
  // Relative: the manager may be mounted below a path.
  let path = template.slice(1).replace("{id}", encodeURIComponent(id));
  const asked = new URLSearchParams(Object.entries(query ?? {}).filter(([, value]) => value));
  if (asked.size) path += `?${asked}`;
  const headers = { accept: "application/json" };
  const key = sessionStorage.getItem(KEY);
  if (key) headers.authorization = `Bearer ${key}`;
  if (body) headers["content-type"] = "application/json";
  const signal = AbortSignal.timeout(REQUEST_MS);
  const options = { method, headers, body: body && JSON.stringify(body), cache: "no-store", signal };
  const response = await fetch(path, options);
  const at = Date.parse(response.headers.get("date") ?? "");
  // The header has whole seconds: less is no difference between the clocks.
  if (at) state.skew = Math.abs(at - Date.now()) < 2_000 ? 0 : at - Date.now();
  const text = await response.text();
  if (response.ok) return JSON.parse(text, exactly);
  let problem = {};
  try { problem = JSON.parse(text); } catch { /* Something between us and the manager answered. */ }
  throw new Refused(response.status, problem);
}

/** Keeps whole numbers that JavaScript would round as they were written, where the browser can. */
function exactly(_, value, context) {
  const rounded = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return rounded && context && JSON.rawJSON ? JSON.rawJSON(context.source) : value;
}

/** What an error means to somebody who looks at this page. */
function explained(error, what) {
  if (!(error instanceof Refused)) return note("warn", "The manager does not answer; it is asked again.");
  const ask = el("button", { type: "button", onclick: askKey }, "Enter a key");
  if (error.status === 401) return note("warn", `A key is needed for ${what}.`, ask);
  if (error.status === 403 && error.code !== "foreign_origin") return note("warn", `This key does not allow ${what}.`, ask);
  if (error.code === "action_not_found") return note("", "There is no such action, or it ended and was forgotten.");
  if (error.status === 404) return note("", `This manager does not offer ${what}.`);
  return note("bad", `${error.title}. ${error.message}`.trim());
}

// ---- Building blocks.

function el(tag, properties, ...children) {
  const node = document.createElement(tag);
  const { data, ...rest } = properties ?? {};
  Object.assign(node, rest);
  Object.assign(node.dataset, data);
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const note = (tone, ...children) => el("div", { className: `note ${tone}` }, ...children);
const chip = (status) => el("span", { className: `chip ${TONES[status] ?? ""}` }, status.replaceAll("_", " "));
const cell = (className, ...children) => el("td", { className }, ...children);

/** A bar from one share to another; what it says stands beside it. */
function bar(share, tone = "", from = 0) {
  const fill = el("span", { className: `fill ${tone}` });
  const percent = (part) => `${Math.min(Math.max(part, 0), 1) * 100}%`;
  fill.style.setProperty("--from", percent(from));
  fill.style.setProperty("--share", percent(share));
  const track = el("span", { className: "track" }, fill);
  track.setAttribute("aria-hidden", "true");
  return track;
}

/** Shows other children, and leaves the focus where it was. */
function show(parent, ...children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
  parent.replaceChildren(...children.filter(Boolean));
  if (focused) parent.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function facts(pairs) {
  const list = el("dl", { className: "facts" });
  for (const [name, value] of pairs) if (value) list.append(el("dt", {}, name), el("dd", {}, value));
  return list;
}

const count = (number) => number.toLocaleString("en");
const now = () => Date.now() + state.skew;

/** A moment: without the date when that is today's. */
function clock(ms) {
  const moment = new Date(ms);
  const today = moment.toDateString() === new Date(now()).toDateString();
  return today ? moment.toLocaleTimeString() : moment.toLocaleString();
}

function duration(ms) {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const units = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1_000]];
  const [unit, size] = units.find(([, size]) => ms >= size);
  const whole = ms / size;
  return `${whole < 10 ? Math.floor(whole * 10) / 10 : Math.floor(whole)} ${unit}`;
}

function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) { number /= 1024; unit += 1; }
  return `${number < 10 && unit ? number.toFixed(1) : Math.round(number)} ${units[unit]}`;
}

/** An age is never negative, however the clocks differ. */
const since = (ms) => `${duration(Math.max(0, now() - ms))} ago`;
/** Moments in the manager's words are numbers. */
const readable = (text) => text.replace(/\b1\d{12}\b/g, (ms) => clock(Number(ms)));

// ---- Queues, store and processors.

function showMeta(meta) {
  const { queues, store } = meta;
  $("manager").textContent = `${meta.version} · ${meta.id} · ${meta.usage.cpu_percent.toFixed(0)} % CPU · ${bytes(meta.usage.memory_bytes)}`;
  const tile = (name, value, about, tone = "") => el("div", { className: `tile ${tone}` },
    el("dt", {}, name), el("dd", { className: "value" }, value), el("dd", { className: "about" }, about));
  show($("queues"),
    tile("Live", count(queues.live), "without an outcome"),
    tile("Delayed", count(queues.delayed), "for a delay or backoff"),
    tile("Input", count(queues.input), queues.oldest_ms === undefined ? "ready for a processor" : `oldest for ${duration(queues.oldest_ms)}`),
    tile("Pending", count(queues.pending), "at processors"),
    tile("Output", count(queues.output), "outcomes to deliver"),
    tile("Failed", count(queues.failed), "kept for a redrive", queues.failed ? "bad" : ""));
  const limit = store.memory_limit_bytes;
  const used = limit ? `${bytes(store.memory_bytes)} of ${bytes(limit)}` : bytes(store.memory_bytes);
  show($("store"), el("strong", {}, `${store.version}, ${store.kind}`), el("span", {}, used),
    limit && bar(store.memory_bytes / limit, store.above_mark ? "bad" : ""), el("span", {}, store.durability));
  show($("alerts"),
    store.above_mark && note("bad", "The store is nearly full: new actions are refused until others end."),
    queues.full_receivers?.length && note("warn", `Too many outcomes wait for ${queues.full_receivers.join(", ")}: new actions for them are refused.`),
    meta.repaired > 0 && note("bad", `The store was repaired ${count(meta.repaired)} times. Each is a bug: please report it.`));
  show($("processors-note"), !meta.processors.length && note("", "No processor is registered. Each calls POST /register when it starts."));
  $("processors").closest(".scroll").hidden = !meta.processors.length;
  show($("processors").tBodies[0], ...meta.processors.map(processorRow));
}

function processorRow(p) {
  const paused = p.status === "paused";
  const verb = paused ? "resume" : "pause";
  const button = el("button", { type: "button", data: { focus: `switch ${p.id}` }, onclick: () => command(verb, p.id) }, paused ? "Resume" : "Pause");
  button.setAttribute("aria-label", `${button.textContent} ${p.id}`);
  const time = (ms) => (ms === null || ms === undefined ? "–" : duration(ms));
  const full = p.in_flight >= p.capacity;
  return el("tr", {},
    el("th", { scope: "row", title: p.url }, p.id, el("span", { className: "quiet" }, p.name)),
    cell("", chip(p.status)),
    cell("", el("span", { className: "meter" }, bar(p.in_flight / p.capacity, full ? "warn" : ""), `${p.in_flight} / ${p.capacity}`)),
    cell("number", count(p.processed)), cell("number", count(p.failed)),
    cell("number", time(p.average_ms)), cell("number", time(p.last_ms)),
    cell("", p.usage ? el("span", { className: "meter" }, bar(p.usage.cpu_percent / 100), `${p.usage.cpu_percent.toFixed(0)} %`) : "–"),
    cell("number", p.usage ? bytes(p.usage.memory_bytes) : "–"),
    cell("number", since(p.last_seen)),
    cell("number", p.status !== "draining" && button));
}

// ---- The list of actions.

function actionRow(action) {
  const open = el("button", { type: "button", className: "link id", data: { focus: action.action_id }, onclick: () => go(action.action_id) }, action.action_id);
  const past = action.status === "succeeded" || action.status === "partial";
  const steps = action.targets.flatMap((target, step) => {
    const className = !past && step === action.step ? "now" : !past && step > action.step ? "still" : "";
    return [step ? " → " : "", el("span", { className }, target)];
  });
  const end = action.ended_at ?? now();
  const error = action.error?.code ?? action.delivery.last_error ?? "";
  return el("tr", {},
    el("th", { scope: "row" }, open), cell("", chip(action.status), action.run > 1 && ` run ${action.run}`),
    cell("wide steps", ...steps),
    cell("", action.delivery.status === "none" ? "–" : chip(action.delivery.status)),
    cell("wide", error), cell("number", since(action.created_at)), cell("number", duration(Math.max(0, end - action.created_at))));
}

function showList(list) {
  state.next = list.cursor ?? null;
  show($("actions-note"));
  const none = list.cursor ? "None among those looked at; older ones may match." : "No action matches.";
  const rows = list.actions.map(actionRow);
  const empty = el("td", { className: "none", colSpan: 7 }, none);
  show($("actions").tBodies[0], ...(rows.length ? rows : [el("tr", {}, empty)]));
  $("newer").disabled = !state.cursors.length;
  $("older").disabled = !state.next;
}

function turn(change) {
  change();
  poll();
}

// ---- One action.

function attemptRow(attempt, from, to) {
  const end = attempt.ended_at ?? to;
  const span = Math.max(to - from, 1);
  return el("li", {},
    el("span", {}, `${attempt.processor}, ${attempt.status}, at ${clock(attempt.started_at)}`),
    el("span", { className: "number" }, duration(end - attempt.started_at)),
    bar((end - attempt.started_at) / span, TONES[attempt.status], (attempt.started_at - from) / span),
    attempt.error && el("span", { className: "error" }, `${attempt.error.code}: ${readable(attempt.error.message)}`));
}

function timeline(action) {
  const attempts = action.steps.flatMap((step) => step.attempts);
  const starts = attempts.map((attempt) => attempt.started_at);
  const ends = attempts.map((attempt) => attempt.ended_at ?? now());
  const [from, to] = [Math.min(...starts), Math.max(...ends)];
  const items = action.steps.map((step) => el("li", { className: TONES[step.status] },
    el("div", { className: "step" }, el("strong", {}, `${step.step + 1}. ${step.target}`), chip(step.status)),
    step.attempts.length > 0 && el("ol", { className: "attempts" }, ...step.attempts.map((a) => attemptRow(a, from, to)))));
  const { delivery } = action;
  if (delivery.status !== "none") {
    const times = delivery.attempts === 1 ? "sent once" : `sent ${delivery.attempts} times`;
    items.push(el("li", { className: TONES[delivery.status] },
      el("div", { className: "step" }, el("strong", {}, "Delivery"), chip(delivery.status)),
      el("ul", { className: "attempts" }, el("li", {},
        el("span", {}, delivery.next_at ? `${times}; next at ${clock(delivery.next_at)}` : times),
        delivery.last_error && el("span", { className: "error" }, readable(delivery.last_error))))));
  }
  return el("ol", { className: "timeline" }, ...items);
}

function commands(action) {
  const button = (name, label, className = "") => el("button", { type: "button", className, data: { focus: name }, onclick: () => command(name, action.action_id) }, label);
  const live = action.status === "queued" || action.status === "running";
  const sent = action.delivery.status === "delivered" || action.delivery.status === "exhausted";
  return el("div", { className: "buttons" },
    live && button("cancel", "Cancel", "danger"),
    action.status === "failed" && button("redrive", "Redrive", "strong"),
    sent && button("redeliver", "Deliver again"));
}

function showAction(action) {
  // What has ended stays as it is: somebody may be selecting a part of it.
  const same = action.ended_at && JSON.stringify(action);
  if (same && same === $("detail-body").dataset.shown) return;
  $("detail-body").dataset.shown = same ?? "";
  const labels = Object.entries(action.labels).map(([name, value]) => `${name}: ${value}`).join(", ");
  const error = action.error && `${action.error.code}: ${readable(action.error.message)}`;
  const last = action.error?.last_error;
  const text = action.data === undefined ? "" : JSON.stringify(action.data, null, 2);
  const shown = text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}\n… ${count(text.length - MOST_SHOWN)} characters more` : text;
  const result = action.status === "succeeded" || action.status === "partial";
  show($("detail-body"),
    el("div", { className: "step" }, chip(action.status), action.run > 1 && el("span", { className: "quiet" }, `run ${action.run}`)),
    facts([
      ["Why it waits", action.waiting && readable(action.waiting)],
      ["Error", error],
      ["Met before", last && `${last.code}: ${readable(last.message)}`],
      ["Accepted", clock(action.created_at)],
      ["Ended", action.ended_at && clock(action.ended_at)],
      ["Took", action.ended_at && duration(action.ended_at - action.created_at)],
      ["Expires", !action.ended_at && clock(action.expires_at)],
      ["Labels", labels],
    ]),
    commands(action),
    el("div", {}, el("h3", {}, "Timeline"), timeline(action)),
    text && el("div", {}, el("h3", {}, result ? "Result" : "Data"), el("pre", {}, shown)));
}

function go(id) {
  location.hash = id ? `action/${encodeURIComponent(id)}` : "";
}

/** The action that the address names. */
function named() {
  return location.hash.startsWith("#action/") ? decodeURIComponent(location.hash.slice("#action/".length)) : null;
}

function route() {
  const id = named();
  if (id !== state.action) {
    state.action = id;
    $("detail-title").textContent = id ?? "";
    $("detail-body").replaceChildren();
    delete $("detail-body").dataset.shown;
  }
  if (id && !$("detail").open) $("detail").showModal();
  if (!id && $("detail").open) $("detail").close();
  poll();
}

// ---- Commands.

function toast(text) {
  $("toast").textContent = text;
  // In the top layer, above an open dialog.
  ($("detail").open ? $("detail") : document.body).append($("toast"));
  $("toast").hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { $("toast").hidden = true; }, 6_000);
}

function ask(title, text, yes) {
  const dialog = $("ask");
  $("ask-title").textContent = title;
  $("ask-text").textContent = text;
  $("ask-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

const COMMANDS = {
  pause: { run: (id) => call("pause", { id }), done: (out) => `${out.id} is ${out.status}; ${out.in_flight} go on.` },
  resume: { run: (id) => call("resume", { id }), done: (out) => `${out.id} is ${out.status}.` },
  cancel: {
    sure: ["Cancel this action?", "It ends as cancelled, and cannot be redriven.", "Cancel the action"],
    run: (id) => call("cancel", { id }),
    done: () => "It was cancelled.",
  },
  redeliver: { run: (id) => call("redeliver", { id }), done: (out) => `It is sent again, as ${out.webhook_id}.` },
  redrive: {
    run: (id) => call("redrive", { body: { ids: [id] } }),
    done: (out) => (out.redriven ? "A new run has begun, at the step that failed." : `Not redriven: ${out.failed[0]?.code ?? "it has changed"}.`),
  },
};

async function command(name, id) {
  const { sure, run, done } = COMMANDS[name];
  if (sure && !(await ask(...sure))) return;
  try {
    toast(done(await run(id)));
  } catch (error) {
    toast(explained(error, "this").firstChild.textContent);
  }
  poll();
}

/** Goes through all failed actions that match, a bounded number per request. */
async function redriveAll(dry_run) {
  const filter = state.filter.target ? { target: state.filter.target } : {};
  const sum = { matched: 0, redriven: 0 };
  let cursor;
  do {
    const out = await call("redrive", { body: { filter, dry_run, cursor } });
    sum.matched += out.matched;
    sum.redriven += out.redriven;
    cursor = out.cursor;
  } while (cursor);
  return sum;
}

async function askRedriveAll() {
  try {
    const { matched } = await redriveAll(true);
    const where = state.filter.target ? ` at a step for ${state.filter.target}` : "";
    if (!matched) return toast(`No action failed${where}.`);
    const text = `${count(matched)} failed${where}. Each starts a new run at the step that failed, with the data it had.`;
    if (!(await ask("Redrive failed actions?", text, "Redrive them"))) return;
    toast(`${count((await redriveAll(false)).redriven)} began a new run.`);
  } catch (error) {
    toast(explained(error, "redriving").firstChild.textContent);
  }
  poll();
}

async function askKey() {
  const dialog = $("key");
  $("key-input").value = "";
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  const key = $("key-input").value.trim();
  $("key-input").value = "";
  if (dialog.returnValue === "forget") sessionStorage.removeItem(KEY);
  if (dialog.returnValue === "use" && key) sessionStorage.setItem(KEY, key);
  showKey();
  poll();
}

function showKey() {
  $("key-button").textContent = sessionStorage.getItem(KEY) ? "Key in use" : "Key";
}

// ---- Looking again.

async function look(name, options, what, shown, refused) {
  let out;
  try {
    out = await call(name, options);
  } catch (error) {
    refused(explained(error, what));
    return false;
  }
  shown(out);
  return true;
}

let timer;
let turns = 0;

/** Looks at everything, now; what an earlier look still waits for is not shown any more. */
async function poll() {
  clearTimeout(timer);
  turns += 1;
  const mine = turns;
  if (document.hidden) return;
  const begun = performance.now();
  const still = (shown) => (out) => { if (mine === turns) shown(out); };
  const into = (id) => still((why) => { delete $(id).dataset.shown; show($(id), why); });
  const query = { ...state.filter, cursor: state.cursors.at(-1) };
  const looks = [
    look("meta", {}, "the state of the manager", still(showMeta), into("alerts")),
    look("list", { query }, "a list of actions", still(showList), into("actions-note")),
  ];
  if (state.action) looks.push(look("action", { id: state.action }, "this action", still(showAction), into("detail-body")));
  const [reached] = await Promise.all(looks);
  if (mine !== turns) return;
  // What is shown is from the last answer.
  document.body.classList.toggle("stale", !reached);
  $("live").className = reached ? "live good" : "live bad";
  const text = reached ? "live" : "cannot be read";
  // Said once: a screen reader reads each change.
  if ($("live").textContent !== text) $("live").textContent = text;
  // A manager that is slow to answer is asked less often.
  timer = setTimeout(poll, Math.max(POLL_MS, 4 * (performance.now() - begun)));
}

function begin() {
  const choices = $("filter").querySelector("fieldset");
  for (const status of STATUSES) {
    const input = el("input", { type: "radio", name: "status", value: status, checked: !status });
    choices.append(el("label", {}, input, status || "all"));
  }
  const filter = () => turn(() => {
    const form = new FormData($("filter"));
    state.filter = Object.fromEntries(["status", "target", "label"].map((name) => [name, form.get(name).trim()]));
    state.cursors = [];
    // A filter of the list that a redrive does not have would be a surprise.
    $("redrive-all").hidden = state.filter.status !== "failed" || state.filter.label !== "";
  });
  $("filter").addEventListener("change", filter);
  $("filter").addEventListener("submit", (event) => { event.preventDefault(); filter(); });
  $("redrive-all").addEventListener("click", askRedriveAll);
  $("older").addEventListener("click", () => turn(() => state.next && state.cursors.push(state.next)));
  $("newer").addEventListener("click", () => turn(() => state.cursors.pop()));
  $("find").addEventListener("submit", (event) => { event.preventDefault(); go($("find-id").value.trim()); });
  // Unless the address names another by now.
  $("detail").addEventListener("close", () => { if (!$("detail").open && named() === state.action) go(null); });
  $("detail-close").addEventListener("click", () => $("detail").close());
  $("key-button").addEventListener("click", askKey);
  $("key-forget").addEventListener("click", () => $("key").close("forget"));
  window.addEventListener("hashchange", route);
  document.addEventListener("visibilitychange", poll);
  showKey();
  route();
}

begin();
