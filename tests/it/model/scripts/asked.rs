//! What somebody asks for who holds no attempt: he acts on what he saw, some time ago.
//!
//! Each script knows its request when it is sent again: the record keeps the nonce and the answer of the last
//! request of each kind, until the next one of that kind.

use super::settle::still;
use crate::calls::{Answer, Ask, Look};
use crate::guards::{Config, Guards};
use crate::place;
use crate::properties::Wrong;
use crate::state::{Claim, Delivery, Mark, Nonce, Record, State, Status, Token};

impl State {
    pub(super) fn act(&mut self, config: &Config, look: &Look, deliver: bool) -> Answer {
        let guards = &config.guards;
        let Some(record) = self.action(look.action).record else { return Answer::Stale };
        if let Some(mark) = self.asked_before(guards, &record, look) {
            return Answer::Done(still(&mark, &record, Token::NONE));
        }
        match look.ask {
            Ask::Cancel => self.end(config, look, record, Status::Cancelled, deliver),
            Ask::Deadline => self.end(config, look, record, Status::Failed, deliver),
            Ask::Redrive => self.redrive(guards, look, record),
            Ask::Redeliver => self.redeliver(guards, look, record),
        }
    }

    /// The first answer, when the record keeps it.
    fn asked_before(&mut self, guards: &Guards, record: &Record, look: &Look) -> Option<Mark> {
        let mark = record.asked(look.ask)?;
        if mark.nonce == Nonce::Ask(look.ask, look.nonce) {
            return guards.asked.then_some(mark);
        }
        if guards.asker {
            return None;
        }
        self.note(Wrong::ToldTwice);
        Some(mark)
    }

    /// Whether the version is the one that was seen. A copy that runs late has no look left to be fresh.
    fn is_fresh(&self, look: &Look) -> bool {
        self.looks.iter().flatten().any(|now| now.is(look) && now.fresh)
    }

    /// `end_action` without a token, by a cancel or a deadline: ends a live action wherever it is.
    ///
    /// - KEYS: the action, its data, the pending set and the record of the processor that was seen (if any), `live`,
    ///   `done` (cancelled) or `failed` (its time was up), `output` of its host, `receivers`, the idempotency record,
    ///   the input of the target that was seen, `targets`, `delayed`. ARGV: id, step, a nonce, the ground, version
    ///   seen, target, host or '', token of the delivery or '', its lease, retention, error, outcome.
    /// - Again: `lapsed` holds version and nonce: the same answer, the delivery's claim only while it stands.
    /// - Refused (stale): another version (its keys may be others), no entry in `live`, or by the deadline one whose
    ///   score is in the future. Whoever is refused reads again, and tries again or says that the action has ended.
    /// - Writes: out of `live` and of `input` (with `targets`), `delayed` or `pending`; into `done` or `failed`;
    ///   `status`, `token` empty, `v` one more, `ended`, `error`, `lapsed` = version, nonce and answer; a line of the
    ///   timeline when an attempt was running, which a cancel counts neither as `processed` nor as `failed`. The
    ///   delivery begins, or is claimed at once, as after any outcome: no TTL until it is settled; without a response
    ///   URL the TTL comes now. A completion that comes later finds no token that is its own: stale, its payload is
    ///   unlinked.
    fn end(
        &mut self,
        config: &Config,
        look: &Look,
        mut record: Record,
        status: Status,
        deliver: bool,
    ) -> Answer {
        let live = record.status == Status::Live;
        if !live || (config.guards.version && !self.is_fresh(look)) {
            return Answer::Stale;
        }
        let pending = look.running.map_or(0, |view| place::PENDING << view.holder);
        self.action(look.action).shift(pending | place::INPUT | place::DELAYED, 0);
        record.release();
        let claim = self.conclude(config.receiver, look.action, &mut record, status, deliver);
        record.keep(look, claim);
        self.save(look.action, record);
        Answer::Done(claim)
    }

    /// `redrive_action`: a new run of a failed action, from the failed step with the data it had.
    ///
    /// - KEYS: the action, its current data, `live`, `failed`, the input of the failed step's target, `targets`,
    ///   `seq`, `output` of its host, `receivers`, the idempotency record. All follow from the run that was seen:
    ///   after a run has failed, only its delivery changes. ARGV: id, run seen, a nonce, target, host or ''.
    /// - Again: `redriven` holds run and nonce: the same answer, nothing is written.
    /// - Refused: no record (unknown); the outcome is not `failed`, or the run is another (stale); no data (its TTL
    ///   ended a moment before the record's: missing). The version is not compared: a delivery that goes on must not
    ///   keep an operator from redriving.
    /// - Writes: out of `failed`; PERSIST of action, data and idempotency record, whose `open` is one more if the
    ///   action had ended; out of `output` (and `receivers` when that was the last) whatever the delivery was; into
    ///   `live` with a fresh deadline (`expires_in_ms` from now) and into `input` behind all that is ready (a new
    ///   sequence number: an old copy of a claim must not find the one it saw); `run` one more, `status` `queued`,
    ///   `tries` 0, no `returns`, `token` empty, `delivery` `none`, `d_token` empty, `d_tries` 0, no `ended`, `error`,
    ///   `d_due`, `d_error`; `v` one more, `redriven` = run and nonce. `step`, `dispatches`, the settled tokens and the
    ///   timeline (so also what was skipped) stay. A send of the old run that is under way finds another `d_token`
    ///   and settles nothing.
    fn redrive(&mut self, guards: &Guards, look: &Look, mut record: Record) -> Answer {
        let other = record.run != look.run;
        let present = self.has_payload(look.action, record.data);
        if record.status != Status::Failed || (other && guards.run) || !present {
            return Answer::Stale;
        }
        if other {
            self.note(Wrong::OtherRun);
        }
        record.run += 1;
        record.status = Status::Live;
        record.handed = 0;
        record.delivery = Delivery::None;
        record.d_tries = 0;
        if guards.anew {
            record.tries = 0;
        }
        if guards.unsent {
            record.d_token = 0;
            record.d_settled = 0;
        }
        let entry = self.action(look.action);
        entry.shift(place::FAILED, place::LIVE | place::INPUT);
        if guards.dropped {
            entry.shift(place::OUTPUT, 0);
            entry.due = false;
        }
        entry.announced = None;
        entry.misses = 0;
        self.revive(guards, look.action, &mut record);
        record.keep(look, None);
        self.save(look.action, record);
        Answer::Done(None)
    }

    /// `redeliver_action`: sends an outcome again, from the start of the schedule.
    ///
    /// - KEYS: the action, its current data, `output` of its host, `receivers`, the idempotency record. ARGV: id,
    ///   version seen, a nonce, host.
    /// - Again: `redelivered` holds version and nonce: the same answer, nothing is written.
    /// - Refused: no record (unknown); another version, or a delivery that is neither `delivered` nor `exhausted`
    ///   (stale); no data (missing).
    /// - Writes: PERSIST of action, data and idempotency record, whose `open` is one more; into `output`, due now
    ///   (and `receivers`); `delivery` `pending`, `d_tries` 0, `d_due` now, `v` one more, `redelivered` = version,
    ///   nonce and answer. The run stays, and with it the webhook's id; `d_token` stays the settled one, so that a
    ///   settlement that is sent again is still told what it was told.
    fn redeliver(&mut self, guards: &Guards, look: &Look, mut record: Record) -> Answer {
        let ended = matches!(record.delivery, Delivery::Delivered | Delivery::Exhausted);
        let fresh = self.is_fresh(look);
        let present = self.has_payload(look.action, record.data);
        if !ended || (guards.version && !fresh) || !present {
            return Answer::Stale;
        }
        record.delivery = Delivery::Pending;
        record.d_tries = 0;
        record.run += u8::from(!guards.same_run);
        let entry = self.action(look.action);
        let twice = entry.redelivered & (1 << look.nonce) != 0;
        entry.redelivered |= 1 << look.nonce;
        entry.shift(0, place::OUTPUT);
        entry.due = true;
        self.revive(guards, look.action, &mut record);
        record.keep(look, None);
        self.save(look.action, record);
        if twice {
            self.note(Wrong::DoneTwice);
        }
        Answer::Done(None)
    }

    /// What has not ended has no TTL.
    fn revive(&mut self, guards: &Guards, action: u8, record: &mut Record) {
        if guards.persist {
            record.ttl = false;
            self.persist(action, record.data);
        }
    }

    fn save(&mut self, action: u8, record: Record) {
        self.action(action).record = Some(record);
        self.bump(action);
    }
}

impl Record {
    /// The last request of a kind.
    pub(crate) fn asked(&self, ask: Ask) -> Option<Mark> {
        match ask {
            Ask::Redrive => self.asked[0],
            Ask::Redeliver => self.asked[1],
            Ask::Cancel | Ask::Deadline => self.lapsed.filter(|mark| {
                mark.token == Token::NONE && matches!(mark.nonce, Nonce::Ask(of, _) if of == ask)
            }),
        }
    }

    fn keep(&mut self, look: &Look, claim: Option<Claim>) {
        let nonce = Nonce::Ask(look.ask, look.nonce);
        let mark = Some(Mark { token: Token::NONE, nonce, claim });
        match look.ask {
            Ask::Redrive => self.asked[0] = mark,
            Ask::Redeliver => self.asked[1] = mark,
            Ask::Cancel | Ask::Deadline => self.lapsed = mark,
        }
    }
}
