//! What the relay's stack costs per request, beside one of tower's layers.
//!
//! `cargo bench --bench stack`. The attempt does nothing but come back once to the runtime, as every real one does;
//! `attempt` is what that costs alone, and has to be taken off from the others.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use sabir::metrics::{Class, Metrics};
use sabir::model::{Done, Outcome, Presence, Reply};
use sabir::relay::stack::{Config, Ended, Errand, Repeat, Stack};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::retry::Policy;
use tower::retry::budget::{Budget as _, TpsBudget};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

/// Requests of one round.
const REQUESTS: usize = 1000;

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn done() -> Outcome {
    Ok(Reply::Done(Done {}))
}

#[divan::bench]
fn attempt(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    bencher.counter(ItemsCount::new(REQUESTS)).bench_local(|| {
        runtime.block_on(async {
            for _ in 0..REQUESTS {
                tokio::task::yield_now().await;
                let _ = black_box(done());
            }
        });
    });
}

#[divan::bench]
fn ours(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let metrics = Metrics::new().unwrap();
    let stack = Stack::new("far".into(), Config::default(), metrics.upstream("far"));
    let client = Presence::new();
    bencher.counter(ItemsCount::new(REQUESTS)).bench_local(|| {
        runtime.block_on(async {
            for _ in 0..REQUESTS {
                let errand = Errand {
                    until: Instant::now() + Duration::from_secs(15),
                    repeat: Repeat::NotSentOnly,
                    client: &client,
                };
                let attempt = async |_, _| {
                    tokio::task::yield_now().await;
                    Ended::told(Instant::now(), Class::Done, done())
                };
                let _ = black_box(stack.carry(&errand, attempt).await);
            }
        });
    });
}

/// An attempt as a service.
#[derive(Clone)]
struct Attempt;

impl Service<()> for Attempt {
    type Response = Outcome;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Outcome, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        Box::pin(async {
            tokio::task::yield_now().await;
            Ok(done())
        })
    }
}

#[derive(Clone)]
struct Retries(Arc<TpsBudget>);

impl Policy<(), Outcome, BoxError> for Retries {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        (): &mut (),
        result: &mut Result<Outcome, BoxError>,
    ) -> Option<Self::Future> {
        match result {
            Ok(_) => {
                self.0.deposit();
                None
            }
            Err(_) => self.0.withdraw().then(|| ready(())),
        }
    }

    fn clone_request(&mut self, (): &()) -> Option<()> {
        Some(())
    }
}

/// All of its layers, but for a breaker, which tower does not have, and a queue.
#[divan::bench]
fn towers(bencher: Bencher<'_, '_>) {
    let runtime = runtime();
    let _timers = runtime.enter();
    let within = Duration::from_secs(15);
    let budget = Arc::new(TpsBudget::new(Duration::from_secs(10), 1, 0.2));
    let places = Arc::new(Semaphore::new(256));
    let stack = ServiceBuilder::new()
        .timeout(within)
        .retry(Retries(budget))
        .load_shed()
        .layer(GlobalConcurrencyLimitLayer::with_semaphore(places))
        .timeout(within)
        .service(Attempt);
    bencher.counter(ItemsCount::new(REQUESTS)).bench_local(|| {
        runtime.block_on(async {
            for _ in 0..REQUESTS {
                let _ = black_box(stack.clone().oneshot(()).await.is_ok());
            }
        });
    });
}
