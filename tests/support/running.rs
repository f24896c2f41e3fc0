//! Sabirs that run inside a test, and a client that speaks plain HTTP/1.1 to them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use sabir::app::{self, Running};
use sabir::config::Draft;

/// A Sabir in this process, on ports and a store of its own; it stops when it is dropped.
pub struct Sabir {
    pub public: SocketAddr,
    pub admin: SocketAddr,
    running: Option<Running>,
    /// Its configuration as it was read.
    text: String,
    /// What stands in every one: where it listens and keeps.
    places: String,
    _folder: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Sabir {
    /// Starts one with this configuration, to which `[listen]` and `[store]` are added.
    pub fn start(config: &str) -> Sabir {
        Sabir::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), config)
    }

    /// Starts one at an address where another one has been.
    pub fn start_at(public: SocketAddr, config: &str) -> Sabir {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("sabir.db");
        let places = format!(
            "[listen]\npublic = \"{public}\"\nadmin = \"127.0.0.1:0\"\n[store]\nurl = \"sqlite:{}\"\n",
            store.display()
        );
        let text = with(&places, config);
        let running = run(&text);
        Sabir {
            public: running.public,
            admin: running.admin,
            running: Some(running),
            text,
            places,
            _folder: folder,
        }
    }

    /// Stops it and starts it again, on its own store.
    pub fn restart(&mut self) {
        self.stop();
        let running = run(&self.text);
        (self.public, self.admin) = (running.public, running.admin);
        self.running = Some(running);
    }

    /// Has it take another configuration, and says which keys need a restart.
    pub fn reload(&self, config: &str) -> Result<Vec<&'static str>, anyhow::Error> {
        let (config, dialects) = app::read(&draft(&with(&self.places, config)))?;
        self.running.as_ref().unwrap().reload(config, dialects)
    }

    /// The file in which it keeps everything.
    pub fn store(&self) -> PathBuf {
        self._folder.path().join("sabir.db")
    }

    /// Sends one request and reads the whole answer.
    pub fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        ask(self.public, method, target, headers, body)
    }

    pub fn post_form(&self, target: &str, fields: &[(&str, &str)]) -> Answer {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self.ask(
            "POST",
            target,
            &[("Content-Type", "application/x-www-form-urlencoded")],
            &body,
        )
    }
}

impl Sabir {
    /// Stops it, and waits until it has.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
            running.wait().unwrap();
        }
    }
}

impl Drop for Sabir {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
            if !std::thread::panicking() {
                running.wait().unwrap();
            }
        }
    }
}

fn run(text: &str) -> Running {
    let (config, dialects) = app::read(&draft(text)).unwrap_or_else(|why| panic!("{why:#}"));
    app::start(&config, dialects).unwrap_or_else(|why| panic!("{why:#}"))
}

fn draft(text: &str) -> Draft {
    Draft::new("test.toml", text, Default::default())
}

/// A configuration with its places, which stand after the keys of the top.
fn with(places: &str, config: &str) -> String {
    let tables = config.find('[').unwrap_or(config.len());
    format!("{}{places}{}", &config[..tables], &config[tables..])
}

/// Sends one request on a connection of its own and reads until it is closed.
pub fn ask(
    to: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = format!("{method} {target} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    request.push_str(body);
    let mut stream = TcpStream::connect(to).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap();
    Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}
