//! Whose credential travels: each caller's own, also where all share a few connections to the upstream.

use crate::support::server::{Line, Server, Upstream, request};
use crate::{FAR_MESSAGE, rooms};

const CALLERS: [&str; 2] = ["alice", "bob"];

#[test]
fn two_who_take_turns_each_travel_with_their_own() {
    let upstream = Upstream::answering(FAR_MESSAGE);
    let people = CALLERS.map(|name| {
        format!(
            "[[account]]\nname = \"{name}\"\ntoken = \"token-of-{name}\"\nas = {{ far = {{ token = \"far-token-of-{name}\" }} }}\n"
        )
    });
    let server = Server::start(&format!(
        "{}\n[upstream.far]\ndialect = \"rooms\"\nurl = \"http://{}\"\ncredential = {{ token = \"far-token-of-sabir\" }}\n[[route]]\nfrom = \"*:lobby\"\nto = \"far:r1\"\n",
        people.concat(),
        upstream.address
    ));
    // Both on one thread of Sabir's or on two, as it comes; what they share are its connections.
    let mut lines = CALLERS.map(|_| Line::open(server.sabir.public));
    for turn in 0..1000 {
        for (name, line) in CALLERS.iter().zip(&mut lines) {
            let token = format!("token-of-{name}");
            let body = format!(r#"{{"room":"lobby","text":"{turn} of {name}"}}"#);
            line.write(request(
                "POST",
                "/chat-messages",
                &rooms::headers(&token),
                body.as_bytes(),
            ));
        }
        for line in &mut lines {
            assert_eq!(line.reply(false).status, 200);
        }
    }
    let requests = upstream.requests();
    assert_eq!(requests.len(), 2000);
    for name in CALLERS {
        let of_one: Vec<_> = requests
            .iter()
            .filter(|request| request.contains(&format!("of {name}\"")))
            .collect();
        assert_eq!(of_one.len(), 1000);
        for request in of_one {
            let authorization = format!("authorization: Bearer far-token-of-{name}\r\n");
            assert!(request.contains(&authorization), "{request}");
            assert_eq!(request.matches("token-of-").count(), 1, "{request}");
        }
    }
    assert!(upstream.connections() <= 4, "{}", upstream.connections());
}
