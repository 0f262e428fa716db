//! Everything the store holds of actions, as short lines that a test can state in full.
//!
//! Actions are named `a`, `b`, … in the order in which the test made them. A time is shown by what it must
//! be, or how far it is from that: `live` by the record's deadline, `pending` by the lease from the claim
//! on, `delayed` by the record's time to be ready, `output` by the delivery's due time.

use std::collections::BTreeMap;

use kit::Keyspace;

type Content = BTreeMap<String, String>;

/// The lines, sorted.
pub(crate) fn describe(keyspace: &Keyspace, names: &BTreeMap<String, char>) -> Vec<String> {
    let picture = Picture { keyspace, names };
    let mut lines: Vec<String> =
        keyspace.keys().into_iter().filter_map(|key| picture.line(key)).collect();
    lines.sort();
    lines
}

struct Picture<'k> {
    keyspace: &'k Keyspace,
    names: &'k BTreeMap<String, char>,
}

impl Picture<'_> {
    fn line(&self, key: &str) -> Option<String> {
        let content = self.keyspace.content(key)?;
        let key = key.strip_prefix("{p0}:").unwrap_or(key);
        let (kind, name) = key.split_once(':').unwrap_or((key, ""));
        let ttl = if self.keyspace.expires(&format!("{{p0}}:{key}")) { " ttl" } else { "" };
        Some(match kind {
            "action" => format!("{}{ttl} {}", self.name(name), record(content)),
            "data" => {
                let (id, _) = name.split_once(':')?;
                format!("data {} {}{ttl}", self.name(id), content[""])
            }
            "idempotency" => format!("idempotency {name} open {}{ttl}", content["open"]),
            "seq" => format!("seq {}", content[""]),
            "stats" => {
                // Two 64-bit numbers, of which a test sees the last byte.
                let (done, failed) = (content[""].as_bytes()[7], content[""].as_bytes().get(15));
                format!("counts {name} processed {done} failed {}", failed.unwrap_or(&0))
            }
            // A test of registrations states these.
            "processor" | "epochs" | "known" | "left" | "name" | "processors" => return None,
            "targets" => {
                format!("targets {}", content.keys().cloned().collect::<Vec<_>>().join(" "))
            }
            "marks" => {
                format!("marks{ttl} {}", content.keys().cloned().collect::<Vec<_>>().join(" "))
            }
            "receivers" => format!("receivers {}", members(content).join(" ")),
            _ => format!("{key} {}", self.queue(kind, content).join(" ")),
        })
    }

    /// Its members: those of an input queue in order, others by name.
    fn queue(&self, kind: &str, content: &Content) -> Vec<String> {
        let mut queue: Vec<String> = members(content)
            .into_iter()
            .map(|id| {
                let score = number(&content[&id]);
                let empty = Content::new();
                let record = self.keyspace.content(&format!("{{p0}}:action:{id}"));
                let record = record.unwrap_or(&empty);
                let last = |field: &str| {
                    number(record.get(field).and_then(|v| v.split(' ').next_back()).unwrap_or("0"))
                };
                let name = self.name(&id);
                let meant = match kind {
                    "input" => return format!("{name}@{score}"),
                    "pending" => return format!("{name}+{}", score - last("held")),
                    "live" => last("deadline"),
                    "delayed" => last("queued"),
                    "output" => last("d_due"),
                    _ => last("ended"),
                };
                let off = score - meant;
                if off == 0 { name } else { format!("{name}{off:+}") }
            })
            .collect();
        if kind != "input" {
            queue.sort();
        }
        queue
    }

    fn name(&self, id: &str) -> String {
        self.names.get(id).map_or_else(|| id.to_owned(), char::to_string)
    }
}

fn record(fields: &Content) -> String {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let mut text = format!(
        "v{} {} step {} tries {}",
        field("v"),
        field("status"),
        field("step"),
        field("tries")
    );
    if !field("token").is_empty() {
        text += &format!(" at {}", field("held").split(' ').next().unwrap_or_default());
    }
    text += &format!(" delivery {}", field("delivery"));
    if field("delivery") != "none" {
        text += &format!(" sends {}", field("d_tries"));
    }
    if field("delivery") == "pending"
        && !matches!(field("d_token").chars().next(), None | Some('='))
    {
        text += " held";
    }
    text
}

/// Members by score.
fn members(content: &Content) -> Vec<String> {
    let mut members: Vec<_> = content.iter().map(|(id, at)| (number(at), id.clone())).collect();
    members.sort();
    members.into_iter().map(|(_, id)| id).collect()
}

fn number(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is not a whole number"))
}
