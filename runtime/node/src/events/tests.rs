use super::*;

fn publish(hub: &EventHub, count: usize) {
    for _ in 0..count {
        hub.publish(Happening::new(EventKind::Operator, "something").agent("echo", Some(1)));
    }
}

#[test]
fn the_last_events_are_kept_and_their_numbers_grow_by_one() {
    let hub = EventHub::new();
    publish(&hub, EVENTS_KEPT + 5);
    let (kept, _) = hub.subscribe(usize::MAX);
    assert_eq!(kept.len(), EVENTS_KEPT);
    assert!(kept.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
    assert_eq!(
        kept.last().map(|event| event.seq),
        Some(EVENTS_KEPT as u64 + 4)
    );
    assert_eq!(hub.subscribe(2).0, kept[EVENTS_KEPT - 2..]);
    assert_eq!(hub.subscribe(0).0, []);
}

#[test]
fn the_feed_goes_on_where_the_kept_ones_end() {
    let hub = EventHub::new();
    publish(&hub, 3);
    let (kept, mut feed) = hub.subscribe(usize::MAX);
    publish(&hub, 1);
    let next = feed.try_recv().unwrap();
    assert_eq!((kept.len(), next.seq), (3, 3));
}
