//! Rules of witnesses: the kind and the number that a lock needs.
use super::*;
use timecoin_chain::crypto::hash;

pub(super) fn witness_rows() -> Vec<Row> {
    let mut rows = preimage_rows();
    rows.extend(multi_rows());
    rows.extend(kind_rows());
    rows
}

fn wrong(reason: &'static str) -> RuleError {
    RuleError::WrongWitness { index: 0, reason }
}

fn preimage_rows() -> Vec<Row> {
    vec![
        witness(
            "the wrong preimage",
            Draft::spending(hash_lock(101)),
            |d| d.witnesses[0] = claim(d, [1; 32], 1),
            wrong("the preimage does not hash to the lock"),
        ),
        witness(
            "the hash itself as preimage",
            Draft::spending(hash_lock(101)),
            |d| d.witnesses[0] = claim(d, hash("tc/preimage", &[&PREIMAGE]), 1),
            wrong("the preimage does not hash to the lock"),
        ),
    ]
}

fn multi_rows() -> Vec<Row> {
    let count = || wrong("exactly the threshold of signatures is needed");
    let order = || wrong("key indices must be strictly ascending and exist");
    let multi = || Draft::spending(two_of_three());
    vec![
        witness(
            "one signature too few",
            multi(),
            |d| d.witnesses[0] = multi_witness(d, &[1]),
            count(),
        ),
        witness("no signature", multi(), |d| d.witnesses[0] = multi_witness(d, &[]), count()),
        witness(
            "one signature too many",
            multi(),
            |d| d.witnesses[0] = multi_witness(d, &[0, 1, 2]),
            count(),
        ),
        witness(
            "signatures out of order",
            multi(),
            |d| d.witnesses[0] = multi_witness(d, &[1, 0]),
            order(),
        ),
        witness(
            "one key that signs twice",
            multi(),
            |d| d.witnesses[0] = multi_witness(d, &[1, 1]),
            order(),
        ),
        witness(
            "a key that is not there",
            multi(),
            |d| {
                let signature = secret(1).sign(&d.message());
                d.witnesses[0] = Witness::Multi(vec![(0, signature), (3, signature)]);
            },
            order(),
        ),
    ]
}

/// Every kind of witness on every kind of lock, except the pairs that fit.
fn kind_rows() -> Vec<Row> {
    let kind = || wrong("another kind of witness is needed");
    let locks = [
        Lock::Key(key(1)),
        two_of_three(),
        timelock(HEIGHT.0),
        hash_lock(HEIGHT.0 + 1),
        hash_lock(HEIGHT.0),
    ];
    let mut rows = vec![];
    for lock in locks {
        let valid = Draft::spending(lock.clone());
        for other in [
            |d: &mut Draft| d.witnesses[0] = Witness::Key(secret(1).sign(&d.message())),
            |d: &mut Draft| d.witnesses[0] = multi_witness(d, &[0, 1]),
            |d: &mut Draft| d.witnesses[0] = claim(d, PREIMAGE, 1),
            |d: &mut Draft| d.witnesses[0] = Witness::Refund(secret(2).sign(&d.message())),
        ] {
            let mut changed = valid.clone();
            other(&mut changed);
            let fits = matches!(
                (&lock, &changed.witnesses[0]),
                (Lock::Key(_) | Lock::Timelock { .. }, Witness::Key(_))
                    | (Lock::Multi { .. }, Witness::Multi(_))
                    | (Lock::HashLock { .. }, Witness::Claim { .. } | Witness::Refund(_))
            );
            if !fits {
                rows.push(witness("another kind of witness", valid.clone(), other, kind()));
            }
        }
    }
    rows
}
