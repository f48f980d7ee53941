use super::*;

fn batch(epoch: i16, base: i32, count: i32, offset: i64) -> ProducerBatch {
    ProducerBatch {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(epoch),
        base_sequence: Sequence(base),
        last_sequence: Sequence(base).advanced(count - 1),
        base_offset: Offset(offset),
        last_offset: Offset(offset + i64::from(count) - 1),
        timestamp: 1000 + offset,
        transactional: false,
    }
}

fn transactional(epoch: i16, base: i32, count: i32, offset: i64) -> ProducerBatch {
    ProducerBatch { transactional: true, ..batch(epoch, base, count, offset) }
}

fn marker(epoch: i16, coordinator_epoch: i32, offset: i64, committed: bool) -> Marker {
    Marker {
        producer_id: ProducerId(7),
        producer_epoch: ProducerEpoch(epoch),
        coordinator_epoch,
        offset: Offset(offset),
        timestamp: 1000 + offset,
        committed,
    }
}

fn after(batches: &[ProducerBatch]) -> Producers {
    let mut producers = Producers::default();
    batches.iter().for_each(|batch| producers.apply(batch));
    producers
}

#[test]
fn sequences_go_on_and_wrap() {
    let check = |before: &[ProducerBatch], next: ProducerBatch, expect: Option<ErrorCode>| {
        let result = after(before).check(&next, Origin::Client);
        assert_eq!(result.err().map(|refusal| refusal.code), expect, "{before:?} {next:?}");
    };
    let out_of_order = Some(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    check(&[], batch(0, 0, 3, 0), None);
    // Nothing is known of the producer: its older records may have been deleted.
    check(&[], batch(3, 17, 3, 0), None);
    check(&[batch(0, 0, 3, 0)], batch(0, 3, 1, 3), None);
    check(&[batch(0, 0, 3, 0)], batch(0, 4, 1, 3), out_of_order);
    check(&[batch(0, 0, 3, 0)], batch(0, 2, 1, 3), out_of_order);
    check(&[batch(0, i32::MAX, 1, 0)], batch(0, 0, 1, 3), None);
    check(&[batch(0, i32::MAX - 1, 4, 0)], batch(0, 2, 1, 4), None);
    check(&[batch(0, i32::MAX - 1, 1, 0)], batch(0, 0, 1, 3), out_of_order);
    check(&[batch(0, 0, 3, 0)], batch(1, 0, 1, 3), None);
    check(&[batch(0, 0, 3, 0)], batch(1, 3, 1, 3), out_of_order);
    check(&[batch(1, 0, 3, 0)], batch(0, 3, 1, 3), Some(ErrorCode::INVALID_PRODUCER_EPOCH));
    // A replica takes what its leader took.
    let replicated = after(&[batch(1, 0, 3, 0)]).check(&batch(0, 9, 1, 3), Origin::Replication);
    assert_eq!(replicated, Ok(()));
}

#[test]
fn a_duplicate_is_one_of_the_last_five() {
    let batches: Vec<_> = (0..7).map(|n| batch(0, 2 * n, 2, 100 + 10 * i64::from(n))).collect();
    let producers = after(&batches);
    for (n, sent) in batches.iter().enumerate() {
        let found = producers.duplicate(&ProducerBatch { base_offset: Offset(900), ..*sent });
        let expect = (n >= 2).then_some((sent.base_offset, sent.last_offset, sent.timestamp));
        assert_eq!(
            found.map(|found| (found.base_offset(), found.last_offset, found.timestamp)),
            expect,
            "{n}"
        );
    }
    assert_eq!(producers.duplicate(&batch(0, 12, 1, 0)), None, "another length");
    assert_eq!(producers.duplicate(&batch(1, 12, 2, 0)), None, "another epoch");
    let wrapped = after(&[batch(0, i32::MAX - 1, 4, 0)]);
    assert!(wrapped.duplicate(&batch(0, i32::MAX - 1, 4, 50)).is_some());
}

#[test]
fn transactions_hold_back_the_last_stable_offset() {
    let mut producers = after(&[batch(0, 0, 2, 0)]);
    assert_eq!(producers.last_stable(Offset(2)), Offset(2));
    producers.apply(&transactional(0, 2, 3, 2));
    producers.apply(&transactional(0, 5, 3, 5));
    assert_eq!(producers.last_stable(Offset(8)), Offset(2));
    let plain = producers.check(&batch(0, 8, 1, 8), Origin::Client);
    assert_eq!(plain.unwrap_err().code, ErrorCode::INVALID_TXN_STATE);

    let aborted = producers.apply_marker(&marker(0, 3, 8, false)).unwrap().aborted().unwrap();
    assert_eq!(
        (aborted.first_offset, aborted.last_offset, aborted.last_stable),
        (Offset(2), Offset(8), Offset(9))
    );
    // The marker is not committed yet.
    producers.on_high_watermark(Offset(8));
    assert_eq!(producers.last_stable(Offset(8)), Offset(2));
    producers.on_high_watermark(Offset(9));
    assert_eq!(producers.last_stable(Offset(9)), Offset(9));

    assert_eq!(producers.apply_marker(&marker(0, 3, 9, true)), None, "no transaction was open");
    let fenced = producers.check_marker(&marker(0, 2, 10, true)).unwrap_err();
    assert_eq!(fenced.code, ErrorCode::TRANSACTION_COORDINATOR_FENCED);
}

#[test]
fn idle_producers_expire() {
    let mut producers = after(&[batch(0, 0, 1, 0)]);
    producers.expire(1000 + 49, 50);
    assert_eq!(producers.len(), 1);
    producers.expire(1000 + 50, 50);
    assert!(producers.is_empty());
    let mut open = after(&[transactional(0, 0, 1, 0)]);
    open.expire(i64::MAX, 50);
    assert_eq!(open.len(), 1, "an open transaction is waited for");
}

#[test]
fn a_snapshot_keeps_the_newest_batch() {
    let mut producers = after(&[batch(2, 0, 3, 0), transactional(2, 3, 2, 3)]);
    let other = ProducerBatch { producer_id: ProducerId(9), ..batch(0, 5, 1, 5) };
    producers.apply(&other);
    producers.apply_marker(&Marker { producer_id: ProducerId(11), ..marker(4, 8, 6, true) });
    let bytes = producers.to_snapshot();
    assert_eq!(bytes.len(), 10 + 3 * 46);
    let read = |bytes: &[u8]| Producers::from_snapshot(bytes.to_vec().into(), Offset(7), 1000, i64::MAX);
    let loaded = read(&bytes).unwrap();
    assert_eq!(loaded.to_snapshot(), bytes);
    assert_eq!((loaded.end(), loaded.len()), (Offset(7), 3));
    assert_eq!(loaded.first_unstable_offset(), Some(Offset(3)));
    assert!(loaded.duplicate(&transactional(2, 3, 2, 0)).is_some());
    assert!(loaded.duplicate(&batch(2, 0, 3, 0)).is_none());

    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert!(read(&damaged).is_err(), "{at}");
        assert!(read(&bytes[..at]).is_err(), "{at}");
    }
    let expired = Producers::from_snapshot(bytes.into(), Offset(7), 1_000_000, 1000).unwrap();
    assert_eq!(expired.len(), 1, "only the open transaction stays");
}

#[test]
fn a_snapshot_is_byte_for_byte_kafkas() {
    let bytes = after(&[batch(2, 10, 3, 20)]).to_snapshot();
    let mut expect = vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
    expect.extend_from_slice(&7i64.to_be_bytes());
    expect.extend_from_slice(&2i16.to_be_bytes());
    expect.extend_from_slice(&12i32.to_be_bytes());
    expect.extend_from_slice(&22i64.to_be_bytes());
    expect.extend_from_slice(&2i32.to_be_bytes());
    expect.extend_from_slice(&1020i64.to_be_bytes());
    expect.extend_from_slice(&(-1i32).to_be_bytes());
    expect.extend_from_slice(&(-1i64).to_be_bytes());
    let crc = wire::crc::crc32c(&expect[6..]);
    expect[2..6].copy_from_slice(&crc.to_be_bytes());
    assert_eq!(bytes, expect);
}
