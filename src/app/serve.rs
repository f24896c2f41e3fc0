//! One listener on a thread and a runtime of its own, and the exchange that answers there.
//!
//! A new snapshot reaches a thread by its next request at the latest: each request looks whether there is one, which is
//! one load of a number, and keeps until its end the exchange that it began with.

use std::cell::RefCell;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Result;
use bytes::Bytes;
use http::{Method, Response};
use http_body_util::Full;
use rustls::ServerConfig;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::spawn_local;
use tracing::error;

use super::build::Snapshot;
use crate::gateway::Gateway;
use crate::ingress::exchange::{Doors, Exchange};
use crate::ingress::listener::{self, Body, Client, Handler, Refusal, Request};
use crate::log::Lines;
use crate::relay::Relay;

/// Where a thread learns of new snapshots.
pub type News = watch::Receiver<Arc<Snapshot>>;

/// What is to be served, and how.
pub struct Door {
    pub name: String,
    pub socket: TcpListener,
    pub limits: watch::Receiver<listener::Config>,
    pub tls: Option<Arc<ServerConfig>>,
    pub stopped: watch::Receiver<bool>,
}

impl Door {
    /// Serves on a thread of its own. The handler is made there: its connections cannot move.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn serve<H: Handler>(
        self,
        make: impl FnOnce() -> Result<Rc<H>> + Send + 'static,
    ) -> Result<JoinHandle<()>> {
        let thread = std::thread::Builder::new().name(self.name);
        Ok(thread.spawn(move || {
            // It cannot leave its thread, and so needs no second queue for tasks that cannot either, as a `LocalSet` is.
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default());
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return error!(%error, "the listener cannot run"),
            };
            runtime.block_on(async move {
                let socket = self.socket;
                let ready = make()
                    .and_then(|handler| Ok((tokio::net::TcpListener::from_std(socket)?, handler)));
                match ready {
                    Ok((socket, handler)) => {
                        listener::serve(socket, self.limits, self.tls, handler, self.stopped).await
                    }
                    Err(error) => error!(%error, "the listener cannot run"),
                }
            });
        })?)
    }
}

/// The exchange of one thread, which is another one after each reload.
pub struct Current {
    news: RefCell<News>,
    exchange: RefCell<Rc<Exchange>>,
}

impl Current {
    /// To be called on the thread that answers.
    ///
    /// # Errors
    /// An upstream's address cannot be called.
    pub fn follow(mut news: News, log: Option<Lines>) -> Result<Rc<Current>> {
        let first = news.borrow_and_update().clone();
        let mut told = news.clone();
        let current = Rc::new(Current {
            exchange: RefCell::new(Rc::new(exchange(&first, None, log)?)),
            news: RefCell::new(news),
        });
        let follower = current.clone();
        // A thread that nobody calls lets go of the old snapshot too, with its connections and its secrets.
        spawn_local(async move {
            while told.changed().await.is_ok() {
                follower.newest();
            }
        });
        Ok(current)
    }

    /// What is served now.
    pub fn doors(&self) -> Arc<Doors> {
        self.newest().doors.clone()
    }

    fn newest(&self) -> Rc<Exchange> {
        if self.news.borrow().has_changed().unwrap_or(false) {
            self.renew();
        }
        self.exchange.borrow().clone()
    }

    #[cold]
    fn renew(&self) {
        let snapshot = self.news.borrow_mut().borrow_and_update().clone();
        let before = self.exchange.borrow().clone();
        match exchange(&snapshot, Some(&before.gateway.relay), before.log.clone()) {
            Ok(exchange) => *self.exchange.borrow_mut() = Rc::new(exchange),
            // The same was tried before the snapshot was handed out.
            Err(error) => error!(%error, "the new configuration cannot be used on a thread"),
        }
    }
}

fn exchange(snapshot: &Snapshot, before: Option<&Relay>, log: Option<Lines>) -> Result<Exchange> {
    let relay = Relay::new(snapshot.shared.clone(), before)?;
    let rules = snapshot.rules.clone();
    Ok(Exchange {
        doors: snapshot.doors.clone(),
        gateway: Gateway { rules, relay },
        plans: Default::default(),
        sealer: Default::default(),
        log,
    })
}

impl Handler for Current {
    async fn answer(
        &self,
        request: &Request,
        body: Body,
        client: &Client,
    ) -> Response<Full<Bytes>> {
        let exchange = self.newest();
        exchange.answer(request, body, client).await
    }

    fn refuse(&self, refusal: &Refusal, method: &Method, path: &str) -> Response<Full<Bytes>> {
        self.newest().refuse(refusal, method, path)
    }
}
