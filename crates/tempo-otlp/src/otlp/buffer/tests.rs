//! Contents, limits and accounting of buffers.

use super::*;

const NONE: ScopeKey<'_> = ScopeKey { resource: b"", scope: b"", schema_url: "" };

fn buffer(capacity: usize) -> (Arc<Buffer>, Arc<Losses>) {
    let losses = Arc::new(Losses::default());
    (Buffer::new(Signal::Traces, capacity, losses.clone()), losses)
}

/// The allocated bytes, counted independently.
fn allocated(buffer: &Buffer) -> usize {
    let queue = buffer.queue();
    let chunks = |group: &Group| group.chunks.iter().map(|chunk| chunk.bytes.capacity()).sum::<usize>();
    let key = |group: &Group| group.key.resource.len() + group.key.scope.len() + group.key.schema_url.len();
    queue.groups.iter().map(|group| chunks(group) + key(group)).sum()
}

fn held(buffer: &Buffer) -> usize {
    buffer.queue().held
}

fn ready(buffer: &Buffer) -> usize {
    buffer.queue().ready
}

fn messages(batch: &Batch) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (_, chunks) in batch.groups() {
        for chunk in chunks {
            let mut rest = &chunk[..];
            while let [tag, more @ ..] = rest {
                assert_eq!(*tag, 0x12);
                let (mut length, mut shift, mut more) = (0_usize, 0, more);
                while let [byte, after @ ..] = more {
                    length |= usize::from(byte & 0x7f) << shift;
                    shift += 7;
                    more = after;
                    if byte & 0x80 == 0 {
                        break;
                    }
                }
                all.push(more[..length].to_vec());
                rest = &more[length..];
            }
        }
    }
    all
}

#[test]
fn what_is_put_in_comes_out_in_order_by_source() {
    let (buffer, losses) = buffer(1 << 20);
    let other = ScopeKey { resource: b"r", scope: b"s", schema_url: "u" };
    for number in 0..2000_u32 {
        let key = if number % 2 == 0 { NONE } else { other };
        buffer.push(key, format!("{number}").as_bytes());
    }
    let batch = buffer.take().unwrap();
    let sources: Vec<_> = batch.groups().map(|(key, _)| key).collect();
    assert_eq!(sources, [NONE, other]);
    let expected = (0..2000).step_by(2).chain((1..2000).step_by(2)).map(|number| format!("{number}").into_bytes());
    assert!(messages(&batch).into_iter().eq(expected));
    assert!(buffer.take().is_none());
    batch.sent(1);
    assert_eq!(held(&buffer), 0);
    assert_eq!(losses.count(Signal::Traces, LossReason::Rejected), 1);
}

#[test]
fn it_never_holds_more_than_its_bound() {
    for size in [1, 100, 1023, 1024, 5000, 70_000, 300_000] {
        let capacity = 1 << 20;
        let (buffer, losses) = buffer(capacity);
        let message = vec![7; size];
        let mut batches = Vec::new();
        let sources: Vec<String> = (0..100).map(|number| format!("scope {number}")).collect();
        for round in 0..50_000_usize {
            let scope = sources[round % (1 + round % 100)].as_bytes();
            buffer.push(ScopeKey { scope, ..NONE }, &message);
            assert!(held(&buffer) <= capacity);
            if round % 100 == 0 {
                assert!(allocated(&buffer) <= capacity);
            }
            if round == 20_000 {
                batches.extend(buffer.take());
            }
        }
        // A batch in flight counts until it is dropped.
        let sending: usize = batches.iter().map(|batch| batch.cost).sum();
        assert!(sending > 0 && sending + allocated(&buffer) <= capacity, "{size}");
        assert!(held(&buffer) >= sending + allocated(&buffer));
        // The shortest messages are too few to fill the buffer, the longest too large for many scopes.
        assert!(losses.count(Signal::Traces, LossReason::QueueFull) > 0 || size == 1);
        assert!(losses.count(Signal::Traces, LossReason::TooManySources) > 0 || size > 1024);
        batches.clear();
        buffer.discard();
        assert_eq!((held(&buffer), ready(&buffer)), (0, 0), "{size}");
        assert_eq!(allocated(&buffer), 0);
    }
}

#[test]
fn everything_is_either_taken_or_counted() {
    let (buffer, losses) = buffer(100_000);
    let mut taken = 0;
    for round in 0..5000_usize {
        buffer.push(NONE, &vec![1; round % 700]);
        if round % 1000 == 999 {
            let batch = buffer.take().unwrap();
            taken += messages(&batch).len();
            batch.sent(0);
        }
    }
    assert!(buffer.take().is_none());
    assert_eq!(taken as u64 + losses.count(Signal::Traces, LossReason::QueueFull), 5000);
}

#[test]
fn a_batch_is_bounded_and_all_sources_have_their_turn() {
    let (buffer, _) = buffer(8 << 20);
    let quiet = ScopeKey { scope: b"quiet", ..NONE };
    for _ in 0..1500 {
        buffer.push(NONE, &[1; 1000]);
    }
    buffer.push(quiet, b"one");
    let first = buffer.take().unwrap();
    let size: usize = first.groups().flat_map(|(_, chunks)| chunks).map(Bytes::len).sum();
    assert!(size <= MAX_BATCH_BYTES && size > MAX_BATCH_BYTES / 2, "{size}");
    let second = buffer.take().unwrap();
    assert_eq!(second.groups().next().unwrap().0, quiet);
}

#[test]
fn a_message_that_would_never_fit_is_refused_as_such() {
    let (buffer, losses) = buffer(10_000);
    buffer.push(NONE, &[0; 10_000]);
    buffer.push(ScopeKey { resource: &[0; 10_000], ..NONE }, b"x");
    assert_eq!(losses.count(Signal::Traces, LossReason::TooLarge), 2);
    buffer.push(NONE, &[0; 9_000]);
    assert_eq!(messages(&buffer.take().unwrap()), [vec![0; 9_000]]);
}

#[test]
fn the_sender_is_woken_once_a_batch() {
    let (buffer, _) = buffer(2 << 20);
    let mut woken = 0;
    let mut push = |buffer: &Buffer| woken += usize::from(buffer.queue().push(2 << 20, NONE, &[0; 1000]) == Ok(true));
    (0..1000).for_each(|_| push(&buffer));
    drop(buffer.take());
    (0..250).for_each(|_| push(&buffer));
    assert_eq!(woken, 2);
    assert!(buffer.is_filled());
}
