//! Requests at a GraphQL door that are small to send and would be large to answer.
//!
//! The tests ask what they cost in work, the bench what they cost in time. Each is an error; none may take long.

/// A request's body, with its kind where it has one.
pub struct Bomb {
    pub name: &'static str,
    pub kind: Option<&'static str>,
    pub body: String,
}

/// What the server knows that the bombs are thrown at.
pub const CONFIG: &str = r#"
[[account]]
name  = "Mytho"
token = "mytho-token"

[[channel]]
name  = "mytho"
owner = "Mytho"
ids   = { glimesh = 6 }
"#;

pub const DOOR: &str = "/api/graph";
pub const CALLER: (&str, &str) = ("Authorization", "Bearer mytho-token");

/// The body that a door of documents takes, and the text that a document may have.
const BODY: usize = 256 << 10;
const TEXT: usize = 64 << 10;

pub fn bombs() -> Vec<Bomb> {
    let mut bombs = texts();
    bombs.extend(values());
    bombs.extend(bodies());
    bombs
}

fn text(name: &'static str, body: String) -> Bomb {
    Bomb {
        name,
        kind: None,
        body,
    }
}

fn json(name: &'static str, body: String) -> Bomb {
    Bomb {
        name,
        kind: Some("application/json"),
        body,
    }
}

/// A document with its variables.
fn document(name: &'static str, query: &str, variables: &str) -> Bomb {
    let query = serde_json::to_string(query).unwrap();
    json(
        name,
        format!(r#"{{"query":{query},"variables":{variables}}}"#),
    )
}

fn many(count: usize, piece: impl Fn(usize) -> String) -> String {
    (0..count).map(piece).collect()
}

/// As much of a piece as fills a text, but for its ends.
fn full(piece: &str, room: usize) -> String {
    piece.repeat((room - 200) / piece.len())
}

/// Documents that are wrong, or ask for too much.
fn texts() -> Vec<Bomb> {
    let doubled = many(31, |at| {
        let next = at + 1;
        format!("fragment f{at} on User {{ ...f{next} ...f{next} }} ")
    });
    let chain = many(190, |at| {
        format!("fragment f{at} on User {{ ...f{} }} ", at + 1)
    });
    let long = "n".repeat(130);
    let ring = many(190, |at| {
        let next = (at + 1) % 190;
        format!("fragment {long}{at} on User {{ ...{long}{next} }} ")
    });
    let alias = |at| format!("a{at}:myself{{id}} ");
    let deep = |open: &str, count: usize| open.repeat(count);
    vec![
        text(
            "fragment cycle",
            "{ myself { ...a } } fragment a on User { ...b } fragment b on User { ...a }".into(),
        ),
        text(
            "31 fragments spread twice",
            format!("{{ myself {{ ...f0 }} }} {doubled} fragment f31 on User {{ id }}"),
        ),
        text(
            "chain of 190 fragments",
            format!("{{ myself {{ ...f0 }} }} {chain} fragment f190 on User {{ x }}"),
        ),
        text(
            "ring of 190 long fragments",
            format!("{{ myself {{ ...{long}0 }} }} {ring}"),
        ),
        text(
            "700 unused fragments",
            format!(
                "{{ x }} {}",
                many(700, |at| format!("fragment f{at} on User {{ id }} "))
            ),
        ),
        text("100,000 braces", deep("{a", 100_000)),
        text("20,000 braces", deep("{a", 20_000)),
        text("60 braces", format!("{}{}", deep("{a", 60), deep("}", 60))),
        text(
            "100,000 brackets",
            format!("{{ a(b: {}", deep("[", 100_000)),
        ),
        text("20,000 brackets", format!("{{ a(b: {}", deep("[", 20_000))),
        text(
            "100,000 types",
            format!("query ($x: {}Int", deep("[", 100_000)),
        ),
        text(
            "20,000 types",
            format!("query ($x: {}Int", deep("[", 20_000)),
        ),
        text("10,000 aliases", format!("{{ {} }}", many(10_000, alias))),
        text("900 aliases", format!("{{ {} }}", many(900, alias))),
        text(
            "10,000 directives",
            format!("{{ myself {} {{ id }} }}", "@skip(if:false)".repeat(10_000)),
        ),
        text(
            "one long name",
            format!("{{ myself {{ {} }} }}", "username_".repeat(7_000)),
        ),
        text(
            "190 operations, 900 variables",
            format!(
                "{} fragment f on User {{ id(a: [{}]) }}",
                many(190, |at| format!("query q{at}($a: ID) {{ ...f }} ")),
                many(900, |at| format!("$v{at} "))
            ),
        ),
        text(
            "900 operations",
            many(900, |at| format!("query q{at} {{ x }} ")),
        ),
        text(
            "900 fields behind letters",
            format!(
                "{{ user(username: \"{}\") {{ {} x }} }}",
                "e\u{301}".repeat(15_000),
                many(900, |at| format!("a{at}: username "))
            ),
        ),
        text(
            "900 fields behind backslashes",
            format!(
                "{{ user(username: \"{}\") {{ {} x }} }}",
                "\\q".repeat(20_000),
                many(900, |at| format!("a{at}: username "))
            ),
        ),
        text(
            "3,900 unknown fields",
            format!(
                "{{ myself {{ {} }} }}",
                many(3_900, |at| format!("usernam{at} "))
            ),
        ),
        text(
            "900 unknown arguments",
            format!(
                "{{ user({}) {{ id }} }}",
                many(900, |at| format!("i{at}:1 "))
            ),
        ),
        text(
            "introspection in rounds",
            format!(
                "{{ __schema {{ types {{ {}name{} }} }} }}",
                "interfaces { possibleTypes { ".repeat(20),
                "}}".repeat(20)
            ),
        ),
        text(
            "introspection in depth",
            format!(
                "{{ __schema {{ types {{ {}name{} }} }} }}",
                "fields { type { ofType { ".repeat(19),
                "}}}".repeat(19)
            ),
        ),
        text(
            "overlapping fields",
            format!("{{ {} }}", "myself{id,...{id,username}}".repeat(800)),
        ),
        text("only blanks inside", format!("{{ x {} }}", full(" ", TEXT))),
        text("only commas inside", format!("{{ x {} }}", full(",", TEXT))),
        text(
            "only comments inside",
            format!("{{ x \n{} }}", full("#####\n", TEXT)),
        ),
        text(
            "one long comment",
            format!("{{ x #{}\n }}", full("#", TEXT)),
        ),
        text("only marks", format!("{{ x {} }}", full("!", TEXT))),
        text("only dollars", format!("{{ x {} }}", full("$", TEXT))),
        text("lines without an end", format!("{{ x {}", full("\n", TEXT))),
    ]
}

/// Documents with large values, in their text or beside it.
fn values() -> Vec<Bomb> {
    let user = |value: &str| format!("{{ user(id: {value}) {{ id }} }}");
    let string = full("ab\\u00e9", TEXT);
    let send =
        "mutation ($x: String) { createChatMessage(channelId: 6, message: {message: $x}) { id } }";
    let sends = many(240, |at| {
        format!("a{at}: createChatMessage(channelId: 6, message: {{message: $x}}) {{ id }} ")
    });
    let listed = "$x ".repeat(3_000);
    let nested = "[".repeat(60);
    let closed = "]".repeat(60);
    let by_type = format!(
        "mutation ($x: {nested}Int{closed}) {{ createChatMessage(channelId: 6, message: {{message: $x}}) {{ id }} }}"
    );
    let defined = many(900, |at| format!("$v{at}: Int "));
    let used = many(900, |at| format!("$v{at} "));
    let members: Vec<String> = (0..20_000).map(|at| format!("\"w{at}\":1")).collect();
    let large = format!("\"{}\"", full("a", BODY - 20_000));
    vec![
        text("huge integer", user(&full("9", TEXT))),
        text("huge fraction", user(&format!("0.{}", full("9", TEXT)))),
        text("huge exponent", user("1e999999999")),
        text(
            "wide list of integers",
            user(&format!("[{}]", full("1 ", TEXT))),
        ),
        text(
            "wide list of lists",
            user(&format!("[{}]", full("[]", TEXT))),
        ),
        text(
            "wide list of texts",
            user(&format!("[{}]", full("\"\"", TEXT))),
        ),
        text("wide object", user(&format!("{{{}}}", full("a:1 ", TEXT)))),
        text("one long text", user(&format!("\"{string}\""))),
        text(
            "one long block",
            user(&format!("\"\"\"{}\"\"\"", full(" \n", TEXT))),
        ),
        text(
            "text without an end",
            user(&format!("\"{}", full("a", TEXT))),
        ),
        text(
            "block without an end",
            user(&format!("\"\"\"{}", full("\" ", TEXT))),
        ),
        document(
            "deep variables",
            send,
            &format!("{{\"x\":{}", "[".repeat(BODY - 20_000)),
        ),
        document(
            "variables of 127 levels",
            send,
            &format!("{{\"x\":{}{}}}", "[".repeat(120), "]".repeat(120)),
        ),
        document(
            "a wide list in 59 lists",
            &by_type,
            &format!(
                "{{\"x\":{}{}\"\"{}}}",
                "[".repeat(59),
                "\"\",".repeat(80_000),
                "]".repeat(59)
            ),
        ),
        document(
            "a wide list for a text",
            send,
            &format!("{{\"x\":[{}1]}}", "1,".repeat(120_000)),
        ),
        document(
            "huge integer beside",
            send,
            &format!("{{\"x\":{}}}", full("9", BODY - 20_000)),
        ),
        document(
            "huge exponent beside",
            send,
            &format!("{{\"x\":1{}e-9}}", full("1", BODY - 20_000)),
        ),
        document(
            "a large text in 240 places",
            &format!("mutation ($x: String) {{ {sends} }}"),
            &format!("{{\"x\":{large}}}"),
        ),
        document(
            "a large text 3,000 times",
            &format!(
                "mutation ($x: String) {{ createChatMessage(channelId: 6, message: {{message: [{listed}]}}) {{ id }} }}"
            ),
            &format!("{{\"x\":{large}}}"),
        ),
        document(
            "900 variables among 20,000",
            &format!("query ({defined}) {{ user(id: [{used}]) {{ id }} }}"),
            &format!("{{{}}}", members.join(",")),
        ),
    ]
}

fn batch(query: &str, count: usize) -> String {
    let query = serde_json::to_string(query).unwrap();
    format!(
        "[{}]",
        vec![format!(r#"{{"query":{query}}}"#); count].join(",")
    )
}

/// Bodies that hold many documents, or parts.
fn bodies() -> Vec<Bomb> {
    let rounds = format!(
        "{{ __schema {{ types {{ {}name{} }} }} }}",
        "fields { type { ofType { ".repeat(19),
        "}}}".repeat(19)
    );
    let wide = format!("{{ x {} }}", "a ".repeat(3_800));
    let sends = many(100, |at| {
        format!("a{at}: createChatMessage(channelId: 6, message: {{message: \" \"}}) {{ id }} ")
    });
    vec![
        json("batch of 10,000", batch("{a}", 10_000)),
        json("a body that is too large", "[".repeat(2 * BODY)),
        json("batch of 100 introspections", batch(&rounds, 100)),
        json("batch of 30 long documents", batch(&wide, 30)),
        json(
            "batch of 8 times 100 sends",
            batch(&format!("mutation {{ {sends} }}"), 8),
        ),
        json("array of arrays", format!("[{}1]", "[],".repeat(80_000))),
        json(
            "members without names",
            format!("{{{}\"\":1}}", "\"\":1,".repeat(50_000)),
        ),
        Bomb {
            name: "form of empty pairs",
            kind: Some("application/x-www-form-urlencoded"),
            body: "a&".repeat(125_000),
        },
        Bomb {
            name: "multipart of empty parts",
            kind: Some("multipart/form-data; boundary=b"),
            body: "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n".repeat(4_500)
                + "--b--\r\n",
        },
    ]
}

/// A document of sends that fill a channel; a hundred at once is what a document may ask for.
pub fn filling(round: usize) -> String {
    let sends = many(100, |at| {
        format!(
            "a{at}: createChatMessage(channelId: 6, message: {{message: \"m {round} {at}\"}}) {{ id }} "
        )
    });
    format!("mutation {{ {sends} }}")
}

/// Lists in lists of a full channel: a thousand records at each level, of which the next begins. Once, and in a batch.
pub fn nested_lists() -> [Bomb; 2] {
    let level = "chatMessages(first: 1000) { edges { node { id channel { ";
    let query = format!(
        "{{ channel(id: 6) {{ {}id{} }} }}",
        level.repeat(10),
        "}}}}".repeat(10)
    );
    let many = batch(&query, 100);
    [
        text("lists in lists", query),
        json("batch of 100 lists in lists", many),
    ]
}
