//! Channel × dialect × proof × operation: what is decided follows from the policy alone, and is the same everywhere.

use std::collections::BTreeMap;

use base64::Engine as _;
use sha2::Digest as _;

use crate::clients::{
    CHANNELS, DIALECTS, Decision, OPERATIONS, Operation, channel, decision, request, sent_id,
    session, token,
};
use crate::support::running::{Answer, Sabir};

/// Each person has a program that may just as much, for the dialect in which programs call.
const PEOPLE: &str = r#"
[[account]]
name     = "alice"
email    = "alice@example.com"
password = "of alice"
token    = "token-of-alice"
[[account]]
name     = "bob"
email    = "bob@example.com"
password = "of bob"
token    = "token-of-bob"
# May look and not speak.
[[account]]
name     = "carol"
email    = "carol@example.com"
password = "of carol"
token    = "token-of-carol"
may      = ["read"]
# Knows of one channel.
[[account]]
name     = "dora"
email    = "dora@example.com"
password = "of dora"
token    = "token-of-dora"
channels = ["lobby"]
[[application]]
name    = "test"
keyauth = { ownerid = "tiQhtH5R88", secret = "76489f2ba92ddf9132e28d56870004a62d30ec5b40eaf2071ae48036e7144b5f" }
[[application]]
name   = "of-alice"
socket = { secret = "token-of-alice" }
[[application]]
name   = "of-bob"
socket = { secret = "token-of-bob" }
[[application]]
name   = "of-carol"
may    = ["read"]
socket = { secret = "token-of-carol" }
[[application]]
name     = "of-dora"
channels = ["lobby"]
socket   = { secret = "token-of-dora" }
"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Caller {
    None,
    Wrong,
    Expired,
    Revoked,
    /// A session of KeyAuth that nobody signed in to.
    Unsigned,
    Alice,
    Bob,
    Carol,
    Dora,
}

use Caller::{Alice, Bob, Carol, Dora};

const CALLERS: &[Caller] = &[
    Caller::None,
    Caller::Wrong,
    Caller::Expired,
    Caller::Revoked,
    Caller::Unsigned,
    Alice,
    Bob,
    Carol,
    Dora,
];

/// The policy: all that is known of dialects here is nothing.
fn policy(caller: Caller, operation: Operation, channel: &str, author: bool) -> Decision {
    match caller {
        Alice | Bob | Carol | Dora => {}
        _ => return Decision::Nobody,
    }
    if channel == "nowhere" || (caller == Dora && channel == "den") {
        return Decision::Unknown;
    }
    match operation {
        Operation::Send if caller == Carol => Decision::Forbidden,
        Operation::Edit | Operation::Delete if !author || caller == Carol => Decision::Forbidden,
        _ => Decision::Done,
    }
}

/// What each caller proves itself with, in each dialect; some proofs a dialect has not.
type Proofs = BTreeMap<(&'static str, Caller), String>;

/// Makes these run out, as time would.
fn expire(sabir: &Sabir, proofs: &[&str]) {
    let store = rusqlite::Connection::open(sabir.store()).unwrap();
    for proof in proofs {
        let hash = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .encode(sha2::Sha256::digest(proof.as_bytes()));
        let changed = store
            .execute("UPDATE session SET expires_at = 1 WHERE id = ?1", [hash])
            .unwrap();
        assert_eq!(changed, 1, "the store does not know it by its hash");
    }
}

fn start() -> (Sabir, Proofs) {
    // Wrong proofs are wrong here, however many there are.
    let mut sabir = Sabir::start(&format!("[limits]\nguesses = 0\n{PEOPLE}{CHANNELS}"));
    let alice = Some(("alice", "of alice"));
    let old = token(&sabir, "alice@example.com", "of alice");
    let old_session = session(&sabir, alice);
    sabir.stop();
    expire(&sabir, &[&old, &old_session]);
    sabir.restart();
    let gone = token(&sabir, "alice@example.com", "of alice");
    let bearer = format!("Bearer {gone}");
    let bearer = [("Authorization", bearer.as_str())];
    let out = sabir.ask("POST", "/_matrix/client/v3/logout", &bearer, "{}");
    assert_eq!(out.status, 200, "{}", out.body);
    let gone_session = session(&sabir, alice);
    let out = [
        ("type", "logout"),
        ("name", "test"),
        ("ownerid", "tiQhtH5R88"),
        ("sessionid", &gone_session),
    ];
    assert_eq!(sabir.post_form("/api/1.2/", &out).json()["success"], true);
    let mut proofs = Proofs::new();
    for dialect in DIALECTS {
        let mut add = |caller, proof: &str| proofs.insert((*dialect, caller), proof.to_owned());
        add(Caller::None, "");
        add(Caller::Wrong, "0123456789");
        for (caller, name) in [
            (Alice, "alice"),
            (Bob, "bob"),
            (Carol, "carol"),
            (Dora, "dora"),
        ] {
            match *dialect {
                "keyauth" => {
                    let password = format!("of {name}");
                    add(caller, &session(&sabir, Some((name, &password))))
                }
                _ => add(caller, &format!("token-of-{name}")),
            };
        }
        match *dialect {
            "keyauth" => {
                add(Caller::Expired, &old_session);
                add(Caller::Revoked, &gone_session);
                add(Caller::Unsigned, &session(&sabir, None));
            }
            // Secrets of programs are the operator's, and hold as long as they stand in the configuration.
            "socket" => {}
            _ => {
                add(Caller::Expired, &old);
                add(Caller::Revoked, &gone);
            }
        }
    }
    (sabir, proofs)
}

/// Alice's own message in a channel, as the dialect names it. Only she may change it.
fn message(sabir: &Sabir, proofs: &Proofs, dialect: &str, name: &str) -> String {
    let there = channel(dialect, name);
    let proof = &proofs[&(dialect_of(dialect), Alice)];
    let answer = request(sabir, dialect, Operation::Send, proof, there, "").unwrap();
    assert_eq!(decision(dialect, &answer), Decision::Done, "{answer:?}");
    sent_id(dialect, &answer)
}

fn dialect_of(name: &str) -> &'static str {
    DIALECTS.iter().find(|dialect| **dialect == name).unwrap()
}

/// Is an unknown channel an empty one for this dialect's clients?
fn reads_as_empty(dialect: &str, operation: Operation) -> bool {
    dialect == "keyauth" && operation == Operation::List
}

#[test]
fn every_dialect_decides_by_the_policy_alone() {
    let (sabir, proofs) = start();
    let mut tried = 0;
    let mut wrong = Vec::new();
    for dialect in DIALECTS {
        for operation in OPERATIONS {
            for caller in CALLERS {
                let Some(proof) = proofs.get(&(*dialect, *caller)) else {
                    continue;
                };
                for name in ["lobby", "den", "nowhere"] {
                    let there = channel(dialect, name);
                    let id = match operation {
                        Operation::Get
                        | Operation::MarkSeen
                        | Operation::Edit
                        | Operation::Delete
                            if name != "nowhere" =>
                        {
                            message(&sabir, &proofs, dialect, name)
                        }
                        _ => "4711".into(),
                    };
                    let Some(answer) = request(&sabir, dialect, *operation, proof, there, &id)
                    else {
                        continue;
                    };
                    tried += 1;
                    let mut wanted = policy(*caller, *operation, name, *caller == Alice);
                    if wanted == Decision::Unknown && reads_as_empty(dialect, *operation) {
                        assert!(answer.body.contains(r#""messages":[]"#), "{answer:?}");
                        wanted = Decision::Done;
                    }
                    let got = decision(dialect, &answer);
                    if got != wanted {
                        wrong.push(format!(
                            "{dialect} {operation:?} {caller:?} {name}: {got:?}, not {wanted:?}: {}",
                            answer.body
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(tried > 500, "{tried}");
}

/// All that a client can tell one reply from another by, but for what is new in each and the ids that it asked for.
fn shown(answer: &Answer, asked: &[&str]) -> String {
    let mut headers: Vec<&str> = answer.head.lines().collect();
    headers.retain(|line| {
        let line = line.to_ascii_lowercase();
        !line.starts_with("date:") && !line.starts_with("signature:")
    });
    let mut body = answer.body.clone();
    for asked in asked {
        body = body.replace(asked, "<asked>");
    }
    let text = format!("{}\n\n{body}", headers.join("\n"));
    // A nonce of its own in every reply of KeyAuth's.
    match text.split_once(r#""nonce":""#) {
        Some((before, after)) => {
            let rest = after.split_once('"').map_or("", |(_, rest)| rest);
            format!("{before}<nonce>{rest}")
        }
        None => text,
    }
}

#[test]
fn what_is_closed_cannot_be_told_from_what_is_not_there() {
    let (sabir, proofs) = start();
    let mut tried = 0;
    for dialect in DIALECTS {
        let proof = &proofs[&(*dialect, Dora)];
        for operation in OPERATIONS {
            let by_id = matches!(
                operation,
                Operation::Get | Operation::MarkSeen | Operation::Edit | Operation::Delete
            );
            let hidden = if by_id {
                if request(&sabir, dialect, *operation, "", "1", "1").is_none() {
                    continue;
                }
                message(&sabir, &proofs, dialect, "den")
            } else {
                "no-id".into()
            };
            // Of the same kind and length, and nothing's.
            let other: String = match hidden.split_at_checked(hidden.len() - 1) {
                Some((rest, last)) => format!("{rest}{}", if last == "9" { "8" } else { "9" }),
                None => unreachable!(),
            };
            let ask = |name: &str, id: &str| {
                request(
                    &sabir,
                    dialect,
                    *operation,
                    proof,
                    channel(dialect, name),
                    id,
                )
            };
            let (Some(closed), Some(absent)) = (ask("den", &hidden), ask("nowhere", &other)) else {
                continue;
            };
            let closed = shown(&closed, &[channel(dialect, "den"), &hidden]);
            let absent = shown(&absent, &[channel(dialect, "nowhere"), &other]);
            assert_eq!(closed, absent, "{dialect} {operation:?}");
            tried += 1;
        }
    }
    assert!(tried >= 20, "{tried}");
}
