//! What is closed to a caller: the same in every dialect, and the same as what does not exist.

use serde_json::json;

use crate::keyauth::{self, APP, NO_CHANNEL, NO_SESSION, NOT_VALIDATED};
use crate::rooms::{self, headers, no_record};
use crate::support::server::{Reply, Server};
use crate::{PEOPLE, at_home, nothing_reaches_far};

fn patch(server: &Server, token: &str, id: &str) -> Reply {
    let target = format!("/chat-messages/{id}");
    server.request("PATCH", &target, &headers(token), br#"{"seen":true}"#)
}

/// A message of alice's in the den, and its id.
fn in_the_den(server: &Server) -> String {
    let sent = rooms::post(
        server,
        "token-of-alice",
        r#"{"room":"den","text":"between us"}"#,
    );
    sent.member("id")
}

#[test]
fn who_may_only_read_cannot_send() {
    nothing_reaches_far(|server| {
        let session = keyauth::signed_in(server, "carol", "staple");
        let told = r#"{"success":false,"message":"this caller may not do that"}"#;
        // Whatever else is wrong with it, and whether or not the channel is elsewhere.
        for (channel, text) in [("lobby", "hello"), ("lobby", ""), ("den", "hello")] {
            let reply = keyauth::send(server, &session, channel, text);
            assert_eq!(keyauth::told(&reply), told);
        }
        let reply = keyauth::send(server, &session, "nowhere", "hello");
        assert_eq!(keyauth::told(&reply), NO_CHANNEL);

        let forbidden = r#"{"name":"Forbidden","message":"this caller may not do that","code":403,"className":"forbidden","errors":{}}"#;
        let carol = "token-of-carol";
        for body in [
            r#"{"room":"lobby","text":"hello"}"#,
            r#"{"room":"lobby","text":" "}"#,
        ] {
            let reply = rooms::post(server, carol, body);
            assert_eq!((reply.status, reply.text()), (403, forbidden));
        }
        // What is read may be marked as seen.
        let id = in_the_den(server);
        assert_eq!(
            rooms::get(server, carol, &format!("/chat-messages/{id}")).status,
            200
        );
        assert_eq!(patch(server, carol, &id).json()["seenBy"], json!(["carol"]));
        assert_eq!(
            keyauth::read(server, &session, "den").json()["messages"][0]["author"],
            "alice"
        );
    });
}

#[test]
fn a_closed_channel_is_one_that_is_not_there() {
    nothing_reaches_far(|server| {
        let id = in_the_den(server);
        let session = keyauth::signed_in(server, "dora", "lobbyist");
        for channel in ["den", "nowhere", "DEN"] {
            let reply = keyauth::send(server, &session, channel, "");
            assert_eq!(keyauth::told(&reply), NO_CHANNEL);
            assert_eq!(
                keyauth::read(server, &session, channel).json()["messages"],
                json!([])
            );
        }
        let dora = "token-of-dora";
        for channel in ["den", "nowhere"] {
            let body = format!(r#"{{"room":"{channel}","text":"hello"}}"#);
            for reply in [
                rooms::post(server, dora, &body),
                rooms::get(server, dora, &format!("/chat-messages?room={channel}")),
                rooms::get(server, dora, &format!("/chat-rooms/{channel}")),
            ] {
                assert_eq!(
                    (reply.status, reply.text()),
                    (404, no_record(channel).as_str())
                );
            }
        }
        // Nor does its message have a channel to tell of.
        for id in [id.as_str(), "4711"] {
            for reply in [
                rooms::get(server, dora, &format!("/chat-messages/{id}")),
                patch(server, dora, id),
            ] {
                assert_eq!((reply.status, reply.text()), (404, no_record(id).as_str()));
            }
        }
        let unseen = rooms::get(server, "token-of-alice", &format!("/chat-messages/{id}"));
        assert_eq!(unseen.json()["seenBy"], json!([]));
    });
    let server = at_home();
    in_the_den(&server);
    rooms::post(
        &server,
        "token-of-alice",
        r#"{"room":"lobby","text":"to all"}"#,
    );
    let list = rooms::get(&server, "token-of-dora", "/chat-messages").json();
    assert_eq!(
        (list.as_array().unwrap().len(), &list[0]["text"]),
        (1, &json!("to all"))
    );
    let channels = rooms::get(&server, "token-of-dora", "/chat-rooms").json();
    assert_eq!(
        (channels.as_array().unwrap().len(), &channels[0]["id"]),
        (1, &json!("lobby"))
    );
}

#[test]
fn a_channel_with_members_is_theirs() {
    let server = Server::start(&format!(
        "{PEOPLE}\n[[channel]]\nname = \"council\"\nmembers = [\"alice\"]\n"
    ));
    let sent = rooms::post(
        &server,
        "token-of-alice",
        r#"{"room":"council","text":"hush"}"#,
    );
    let id = sent.member("id");
    let bob = "token-of-bob";
    for (target, told) in [
        ("/chat-messages?room=council", "council"),
        ("/chat-rooms/council", "council"),
        (&format!("/chat-messages/{id}"), &id),
    ] {
        let reply = rooms::get(&server, bob, target);
        assert_eq!(
            (reply.status, reply.text()),
            (404, no_record(told).as_str())
        );
    }
    assert_eq!(rooms::get(&server, bob, "/chat-messages").text(), "[]");
    let rooms = rooms::get(&server, bob, "/chat-rooms").json();
    assert_eq!(rooms.as_array().unwrap().len(), 3);
}

#[test]
fn a_session_is_its_own_programs_alone() {
    nothing_reaches_far(|server| {
        let session = keyauth::alice(server);
        let other =
            |body: &str| keyauth::call(server, &format!("name=other&ownerid=otherOwner&{body}"));
        for kind in ["chatsend", "chatget", "check", "logout", "login", "license"] {
            let reply = other(&format!(
                "type={kind}&sessionid={session}&channel=lobby&message=hello&username=alice&pass=correct+horse&key=ALICE-LICENCE-1"
            ));
            assert_eq!(keyauth::told(&reply), NO_SESSION, "{kind}");
            assert_eq!(reply.header("signature"), None);
        }
        let check = keyauth::call(server, &format!("type=check&{APP}&sessionid={session}"));
        assert_eq!(check.json()["success"], true);
        // A session is no token, and a token is no session.
        assert_eq!(
            rooms::get(server, &session, "/chat-messages?room=den").status,
            401
        );
        let signed_in = server.request(
            "POST",
            "/authentication",
            &["Content-Type: application/json"],
            br#"{"email":"alice@example.com","password":"correct horse"}"#,
        );
        for token in [signed_in.member("accessToken").as_str(), "token-of-alice"] {
            let reply = keyauth::send(server, token, "lobby", "hello");
            assert_eq!(keyauth::told(&reply), NO_SESSION);
        }
        // A session of somebody else's is a session of nobody's here.
        let mine = keyauth::opened(server);
        let reply = keyauth::send(server, &mine, "lobby", "hello");
        assert_eq!(keyauth::told(&reply), NOT_VALIDATED);
    });
}

#[test]
fn a_program_narrows_what_its_people_may() {
    let server = Server::start(&PEOPLE.replace(
        "name    = \"other\"",
        "name    = \"other\"\nmay = [\"read\"]\nchannels = [\"den\"]",
    ));
    let other =
        |body: &str| keyauth::call(&server, &format!("name=other&ownerid=otherOwner&{body}"));
    let session = other("type=init").member("sessionid");
    let with = |body: &str| other(&format!("sessionid={session}&{body}"));
    assert_eq!(
        with("type=login&username=alice&pass=correct+horse").json()["success"],
        true
    );
    let lobby = with("type=chatsend&channel=lobby&message=hello");
    assert_eq!(keyauth::told(&lobby), NO_CHANNEL);
    let den = with("type=chatsend&channel=den&message=hello");
    assert_eq!(den.member("message"), "this caller may not do that");
    let own = keyauth::alice(&server);
    assert_eq!(
        keyauth::send(&server, &own, "lobby", "hello").json()["success"],
        true
    );
}

#[test]
fn nobody_speaks_changes_or_is_there_for_another() {
    let server = at_home();
    let slack = |token: &str, method: &str, body: &str| {
        let authorization = format!("Authorization: Bearer {token}");
        let kind = "Content-Type: application/x-www-form-urlencoded";
        server
            .request(
                "POST",
                &format!("/api/{method}"),
                &[kind, &authorization],
                body.as_bytes(),
            )
            .json()
    };
    let sent = slack(
        "token-of-alice",
        "chat.postMessage",
        "channel=den&text=mine",
    );
    let (channel, ts) = (
        sent["channel"].as_str().unwrap(),
        sent["ts"].as_str().unwrap(),
    );
    let of = format!("channel={channel}&ts={ts}");
    let change = format!("{of}&text=yours");
    assert_eq!(
        slack("token-of-bob", "chat.update", &change)["error"],
        "missing_scope"
    );
    assert_eq!(
        slack("token-of-bob", "chat.delete", &of)["error"],
        "missing_scope"
    );
    assert_eq!(
        slack("token-of-carol", "chat.delete", &of)["error"],
        "missing_scope"
    );
    assert_eq!(
        slack("token-of-dora", "chat.delete", &of)["error"],
        "channel_not_found"
    );
    assert_eq!(slack("token-of-alice", "chat.update", &change)["ok"], true);
    assert_eq!(slack("token-of-alice", "chat.delete", &of)["ok"], true);

    // People are known by numbers here, which are asked for first.
    let authorization = |token: &str| format!("Authorization: Bearer {token}");
    let chats = |token: &str, method: &str, target: &str| {
        server.request(method, target, &[&authorization(token)], b"")
    };
    let listed = chats("token-of-bob", "GET", "/api/chats").json();
    let den = listed["data"].as_array().or(listed.as_array()).unwrap();
    let people = den[0]["participants"].as_array().unwrap();
    let alice = people.iter().find(|person| person["name"] == "alice");
    let alice = &alice.unwrap()["user_id"];
    let status = format!("/api/users/{alice}/set-status/online");
    assert_eq!(chats("token-of-bob", "POST", &status).status, 403);
    assert_eq!(chats("token-of-alice", "POST", &status).status, 200);
    assert_eq!(
        chats(
            "token-of-alice",
            "POST",
            "/api/users/nobody/set-status/online"
        )
        .status,
        403
    );
}
