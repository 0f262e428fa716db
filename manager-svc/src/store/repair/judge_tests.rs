//! What is wrong with which record in which places, case by case.

use std::collections::BTreeMap;

use super::judge::{Life, Record, Remedy, Seen, UNREADABLE, Verdict, ghost, judge};
use super::queue::Queue;
use crate::domain::ActionId;

const NOW: u64 = 1_000_000;
const RETENTION: u64 = 500_000;
const TIMEOUT: u64 = 60_000;

fn id() -> ActionId {
    ActionId::from_random(1)
}

/// A record, by fields that are not as they usually are.
fn record(other: &[(&str, &str)]) -> BTreeMap<String, String> {
    let usual = [
        ("v", "7"),
        ("status", "queued"),
        ("step", "0"),
        ("jobs", r#"["work","more"]"#),
        ("job", "60000 work"),
        ("queued", "5 900000"),
        ("tries", "0"),
        ("dispatches", "0"),
        ("deadline", "2000000"),
        ("created", "900000"),
        ("data", "n"),
        ("token", ""),
        ("delivery", "none"),
        ("url", "http://h/hook"),
        ("host", "h:80"),
    ];
    let mut fields: BTreeMap<_, _> =
        usual.into_iter().chain(other.iter().copied()).map(|(f, v)| (f.into(), v.into())).collect();
    fields.retain(|_, value: &mut String| value != "-");
    fields
}

const RUNNING: &[(&str, &str)] =
    &[("status", "running"), ("token", "t"), ("held", "p 1 - 990000"), ("tries", "1")];
const FAILED: &[(&str, &str)] = &[("status", "failed"), ("ended", "990000")];
const DELIVERING: &[(&str, &str)] = &[
    ("status", "succeeded"),
    ("ended", "990000"),
    ("delivery", "pending"),
    ("d_due", "995000"),
    ("d_token", ""),
];

fn seen(fields: BTreeMap<String, String>, places: &[(Queue, u64)]) -> Seen {
    let places = places.iter().map(|(queue, score)| (queue.clone(), score.to_string())).collect();
    Seen {
        record: Record::Fields(fields),
        life: Life::Endless,
        places,
        data: Life::Endless,
        idempotency: Life::Absent,
        holder_known: true,
    }
}

fn ended(mut seen: Seen) -> Seen {
    (seen.life, seen.data) = (Life::Expires, Life::Expires);
    seen
}

fn verdict(seen: &Seen) -> Option<Verdict> {
    judge(&id(), seen, NOW, RETENTION)
}

/// What is wrong, and where the action is to be.
fn found(seen: &Seen) -> (String, Vec<(Queue, u64)>) {
    let Some(Verdict { what, remedy }) = verdict(seen) else { return <_>::default() };
    let scores =
        remedy.places.into_iter().filter_map(|(q, score)| Some((q, score?.parse().unwrap())));
    (what, scores.collect())
}

fn input(target: &str) -> Queue {
    Queue::Input(target.to_owned())
}

fn pending(id: &str) -> Queue {
    Queue::Pending(id.to_owned())
}

fn output() -> Queue {
    Queue::Output("h:80".to_owned())
}

const LIVE: (Queue, u64) = (Queue::Live, 2_000_000);

#[test]
fn what_is_legal_is_left_alone() {
    let later = [("queued", "5 1100000")];
    let due = [("queued", "0 999999")];
    for (fields, places) in [
        (record(&[]), vec![LIVE, (input("work"), 5)]),
        (record(&later), vec![LIVE, (Queue::Delayed, 1_100_000)]),
        // Due, and not promoted yet.
        (record(&due), vec![LIVE, (Queue::Delayed, 999_999)]),
        (record(&[]), vec![LIVE, (Queue::Delayed, 900_000)]),
        // Written by a clock that is a little ahead.
        (record(&[("queued", "5 1001000")]), vec![LIVE, (input("work"), 5)]),
        (record(RUNNING), vec![LIVE, (pending("p"), 990_000 + TIMEOUT)]),
        // A lease that is over, and one that was renewed.
        (record(RUNNING), vec![LIVE, (pending("p"), 999_000)]),
        (record(RUNNING), vec![LIVE, (pending("p"), NOW + TIMEOUT)]),
        (record(DELIVERING), vec![(Queue::Done, 990_000), (output(), 995_000)]),
    ] {
        let seen = seen(fields, &places);
        assert_eq!(verdict(&seen), None, "{seen:?}");
    }
    for (fields, places) in [
        (record(FAILED), vec![(Queue::Failed, 990_000)]),
        // Forgotten by its age, a little before its record.
        (record(&[("status", "succeeded"), ("ended", "400000")]), vec![]),
    ] {
        let seen = ended(seen(fields, &places));
        assert_eq!(verdict(&seen), None, "{seen:?}");
    }
}

#[test]
fn what_stands_where_its_record_does_not_say_is_put_where_it_says() {
    let waits = [LIVE, (input("work"), 5)];
    let runs = [LIVE, (pending("p"), 990_000 + TIMEOUT)];
    let delivers = [(Queue::Done, 990_000), (output(), 995_000)];
    let later = record(&[("queued", "5 1100000")]);
    for (fields, places, right) in [
        (record(&[]), vec![(input("work"), 5)], waits.to_vec()),
        (record(&[]), vec![(Queue::Live, 3), (input("work"), 5)], waits.to_vec()),
        (record(&[]), vec![LIVE], waits.to_vec()),
        (record(&[]), vec![LIVE, (input("work"), 6)], waits.to_vec()),
        (record(&[]), vec![LIVE, (input("more"), 5)], waits.to_vec()),
        (record(&[]), vec![LIVE, (input("work"), 5), (Queue::Delayed, 9)], waits.to_vec()),
        (record(&[]), vec![LIVE, (input("work"), 5), (pending("p"), 9)], waits.to_vec()),
        (record(&[]), vec![LIVE, (input("work"), 5), (Queue::Done, 9)], waits.to_vec()),
        (record(&[]), vec![LIVE, (input("work"), 5), (output(), 9)], waits.to_vec()),
        (later.clone(), vec![LIVE], vec![LIVE, (Queue::Delayed, 1_100_000)]),
        (later.clone(), vec![LIVE, (input("work"), 5)], vec![LIVE, (Queue::Delayed, 1_100_000)]),
        (later, vec![LIVE, (Queue::Delayed, NOW * 9)], vec![LIVE, (Queue::Delayed, 1_100_000)]),
        // It was never in a queue: promoting it gives it its place.
        (record(&[("queued", "0 5")]), vec![LIVE], vec![LIVE, (Queue::Delayed, 5)]),
        (record(RUNNING), vec![LIVE], runs.to_vec()),
        (record(RUNNING), vec![LIVE, (pending("q"), 999_000)], runs.to_vec()),
        (record(RUNNING), vec![LIVE, (pending("p"), 5)], runs.to_vec()),
        (record(RUNNING), vec![LIVE, (pending("p"), NOW * 9)], runs.to_vec()),
        (
            record(RUNNING),
            vec![LIVE, (pending("p"), 999_000), (input("work"), 5)],
            vec![LIVE, (pending("p"), 999_000)],
        ),
        (record(DELIVERING), vec![(output(), 995_000)], delivers.to_vec()),
        (
            record(DELIVERING),
            vec![(Queue::Failed, 9), (Queue::Done, 990_000), (output(), 995_000)],
            delivers.to_vec(),
        ),
        (record(DELIVERING), vec![(Queue::Done, 990_000)], delivers.to_vec()),
        (record(DELIVERING), vec![(Queue::Done, 990_000), (output(), 7)], delivers.to_vec()),
        (
            record(DELIVERING),
            vec![LIVE, (Queue::Done, 990_000), (output(), 995_000)],
            delivers.to_vec(),
        ),
    ] {
        let seen = seen(fields, &places);
        let (what, stands) = found(&seen);
        assert!(stands == right && !what.is_empty(), "{seen:?}: {what} {stands:?}");
        let cured = Seen {
            places: verdict(&seen)
                .unwrap()
                .remedy
                .places
                .into_iter()
                .filter_map(|(q, s)| Some((q, s?)))
                .collect(),
            ..seen
        };
        assert_eq!(verdict(&cured), None, "the remedy leaves something wrong");
    }
    let lost = ended(seen(record(FAILED), &[(Queue::Done, 990_000)]));
    assert_eq!(found(&lost).1, [(Queue::Failed, 990_000)]);
}

#[test]
fn the_end_of_a_lost_lease_is_the_last_that_was_promised() {
    let beat = [RUNNING, &[("beat", "n 1055000")]].concat();
    assert_eq!(found(&seen(record(&beat), &[LIVE])).1[1], (pending("p"), 1_055_000));
    let absurd = [RUNNING, &[("beat", "n 99999999999999")]].concat();
    assert!(found(&seen(record(&absurd), &[LIVE])).1[1].1 < NOW + 2 * TIMEOUT);
}

#[test]
fn nothing_live_expires_and_everything_ended_does() {
    let live = seen(record(&[]), &[LIVE, (input("work"), 5)]);
    for wrong in [
        Seen { life: Life::Expires, ..live.clone() },
        Seen { data: Life::Expires, ..live.clone() },
        Seen { idempotency: Life::Expires, ..live },
    ] {
        assert!(!verdict(&wrong).unwrap().remedy.expires, "{wrong:?}");
    }
    let over = ended(seen(record(FAILED), &[(Queue::Failed, 990_000)]));
    for wrong in
        [Seen { life: Life::Endless, ..over.clone() }, Seen { data: Life::Endless, ..over }]
    {
        assert!(verdict(&wrong).unwrap().remedy.expires, "{wrong:?}");
    }
}

#[test]
fn an_attempt_is_not_called_queued_and_not_left_to_a_processor_that_is_gone() {
    let places = [LIVE, (pending("p"), 999_000)];
    let queued = seen(record(&[RUNNING, &[("status", "queued")]].concat()), &places);
    let write = verdict(&queued).unwrap().remedy.write;
    assert_eq!((write["status"].as_str(), write["v"].as_str()), ("running", "8"));
    let gone = Seen { holder_known: false, ..seen(record(RUNNING), &places) };
    let remedy = verdict(&gone).unwrap().remedy;
    assert_eq!(remedy.write["token"], "");
    assert_eq!(found(&gone).1, [LIVE, (input("work"), 5)]);
    let running = [LIVE, (pending("p"), NOW + 1)];
    let gone = Seen { holder_known: false, ..seen(record(RUNNING), &running) };
    assert_eq!(verdict(&gone), None, "its lease still holds");
}

#[test]
fn an_id_without_a_record_is_taken_out_of_where_it_would_stay() {
    let queues = [Queue::Live, Queue::Delayed, input("work"), pending("p"), output()];
    for queue in queues {
        let places = [(queue.clone(), "5".to_owned())].into();
        let remedy = ghost(&places, NOW).unwrap().remedy;
        assert_eq!(remedy, Remedy { places: [(queue, None)].into(), ..Remedy::default() });
    }
    // These are forgotten by their age, a little after their records; one of no age never is.
    for queue in [Queue::Done, Queue::Failed] {
        assert_eq!(ghost(&[(queue.clone(), "5".to_owned())].into(), NOW), None);
        assert!(ghost(&[(queue, "99999999".to_owned())].into(), NOW).is_some());
    }
}

#[test]
fn a_record_that_cannot_be_read_fails_and_can_be_read_from_then_on() {
    let places = [LIVE, (input("work"), 5)];
    for (field, value) in [
        ("jobs", "[]"),
        ("jobs", "-"),
        ("status", "flying"),
        ("status", "-"),
        ("v", "x"),
        ("v", "-"),
        ("step", "9"),
        ("a:1", "0\tp"),
        ("job", "-"),
        ("queued", "5"),
        ("queued", "-"),
        ("tries", "-"),
        ("dispatches", "many"),
        ("deadline", "-"),
        ("labels", UNREADABLE),
    ] {
        let seen = seen(record(&[(field, value)]), &places);
        let Verdict { what, remedy } = verdict(&seen).unwrap();
        assert_eq!(what, format!("its record is damaged: {field}"));
        let mut mended = record(&[(field, value)]);
        mended.retain(|name, _| !remedy.remove.contains(name));
        mended.extend(remedy.write);
        assert_eq!(mended["status"], "failed", "{field}");
        assert!(mended["error"].contains("record_damaged") && mended["error"].contains(field));
        assert!(remedy.ends && !remedy.expires, "its outcome is to be delivered");
        let stands =
            [(Queue::Live, None), (Queue::Failed, Some(NOW.to_string())), (input("work"), None)];
        let stands = BTreeMap::from(stands).into_iter().chain([(output(), Some(NOW.to_string()))]);
        assert_eq!(remedy.places, stands.collect(), "{field}");
        let cured = Seen {
            record: Record::Fields(mended),
            places: remedy.places.into_iter().filter_map(|(q, s)| Some((q, s?))).collect(),
            ..seen
        };
        assert_eq!(verdict(&cured), None, "{field}: the remedy leaves something wrong");
    }
    let nowhere = seen(record(&[("url", "-"), ("step", "x")]), &places);
    assert!(verdict(&nowhere).unwrap().remedy.expires, "nothing is to be delivered");
}

#[test]
fn a_damaged_record_with_an_outcome_keeps_it() {
    let damage = [DELIVERING, &[("a:1", "what")]].concat();
    let places = [(Queue::Done, 990_000), (output(), 995_000)];
    let remedy = verdict(&seen(record(&damage), &places)).unwrap().remedy;
    assert!(!remedy.write.contains_key("status") && !remedy.ends, "{remedy:?}");
    assert_eq!(remedy.remove, ["a:1"]);
    let lost = [DELIVERING, &[("host", "-")]].concat();
    let remedy = verdict(&seen(record(&lost), &places)).unwrap().remedy;
    assert_eq!(remedy.write["delivery"], "exhausted");
    assert!(remedy.expires && remedy.places[&output()].is_none());
}

#[test]
fn what_is_no_record_at_all_is_taken_out_of_everything() {
    let foreign =
        Seen { record: Record::Foreign, ..seen(BTreeMap::new(), &[LIVE, (Queue::Done, 5)]) };
    let remedy = verdict(&foreign).unwrap().remedy;
    assert_eq!(remedy.places, [(Queue::Live, None), (Queue::Done, None)].into());
    assert!(remedy.expires);
    let left = Seen { life: Life::Expires, places: BTreeMap::new(), ..foreign };
    assert_eq!(verdict(&left), None);
}
