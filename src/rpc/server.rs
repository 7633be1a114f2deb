//! The HTTP listener: routes, limits, shutdown.
use super::{
    auth::Auth,
    calls::Calls,
    connection::{Gate, Seat},
    context::Context,
    dispatch,
    events::{self, Topics},
    health, origin,
};
use crate::{
    metrics::{Form, Metrics},
    node::NodeHandle,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{ConnectInfo, Query, Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::Semaphore,
    time::{sleep, timeout},
};

/// Bytes of a request's body.
const BODY_MAX: usize = 5 * 1024 * 1024;
/// Concurrent calls.
const CALLS_MAX: usize = 64;
/// Concurrent readers of events.
const READERS_MAX: usize = 64;
/// How long a call waits for its turn.
const TURN_PATIENCE: Duration = Duration::from_secs(5);
/// How long a body may take.
const BODY_PATIENCE: Duration = Duration::from_secs(20);
/// How long running calls may take once the node stops.
const STOP_PATIENCE: Duration = Duration::from_secs(1);

/// How the server may be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RpcOptions {
    /// Names allowed in `Host` in addition to `localhost` and all IP addresses, without a port.
    pub allowed_hosts: Vec<String>,
}

/// Why the server ended without being asked to.
#[derive(Debug, thiserror::Error)]
pub enum RpcServerError {
    /// The listener failed.
    #[error("serving RPC failed: {0}")]
    Io(#[from] std::io::Error),
}

struct Server {
    calls: Calls,
    auth: Auth,
    metrics: Arc<Metrics>,
    options: RpcOptions,
    turns: Semaphore,
    readers: Arc<Semaphore>,
}

/// Serves until the node stops, then removes the cookie.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: TcpListener,
    node: NodeHandle,
    auth: Auth,
    metrics: Arc<Metrics>,
    options: RpcOptions,
) -> Result<(), RpcServerError> {
    let server = Arc::new(Server {
        calls: Calls::new(Context::new(node.clone()), metrics.clone()),
        auth,
        metrics,
        options,
        turns: Semaphore::new(CALLS_MAX),
        readers: Arc::new(Semaphore::new(READERS_MAX)),
    });
    let stopping = node.clone();
    let service = router(server.clone()).into_make_service_with_connect_info::<Seat>();
    let graceful = axum::serve(Gate::new(listener), service)
        .with_graceful_shutdown(async move { stopping.stopping().await });
    let late = async {
        node.stopping().await;
        sleep(STOP_PATIENCE).await;
    };
    let ended = tokio::select! {
        ended = async { graceful.await } => ended,
        () = late => Ok(()),
    };
    server.auth.remove();
    Ok(ended?)
}

fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", post(call))
        .route("/events", get(subscribe))
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .layer(middleware::from_fn_with_state(server.clone(), refuse_foreign))
        .with_state(server)
}

/// Refuses what a foreign web page may have sent, on every route.
async fn refuse_foreign(
    State(server): State<Arc<Server>>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let hosts = all(headers, &header::HOST);
    let origins = all(headers, &header::ORIGIN);
    match origin::check(&hosts, &origins, &server.options.allowed_hosts) {
        Ok(()) => next.run(request).await,
        Err(foreign) => refuse(StatusCode::FORBIDDEN, &foreign.to_string()),
    }
}

fn all<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a [u8]> {
    headers.get_all(name).iter().map(|value| value.as_bytes()).collect()
}

async fn call(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Err(refusal) = admit(&server.auth, &head.headers) {
        return *refusal;
    }
    let Ok(Ok(_turn)) = timeout(TURN_PATIENCE, server.turns.acquire()).await else {
        let text = format!("{CALLS_MAX} calls are running; try again in a moment");
        let after = [(header::RETRY_AFTER, "1")];
        return (after, refuse(StatusCode::SERVICE_UNAVAILABLE, &text)).into_response();
    };
    let body = match timeout(BODY_PATIENCE, to_bytes(body, BODY_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return too_large(),
        Err(_) => {
            let text = format!("the body did not come within {} s", BODY_PATIENCE.as_secs());
            return refuse(StatusCode::REQUEST_TIMEOUT, &text);
        }
    };
    let reply = dispatch::answer(&server.calls, &body).await;
    match reply.body {
        None => reply.status.into_response(),
        Some(mut text) => {
            text.push('\n');
            (reply.status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
        }
    }
}

/// Refuses requests before any of the body is read.
fn admit(auth: &Auth, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let one = |name| headers.get(name).map(|value: &header::HeaderValue| value.as_bytes());
    if !auth.accepts(one(header::AUTHORIZATION)) {
        let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"jsonrpc\"")];
        let text = "send the content of the file .cookie in the data directory by HTTP Basic";
        return Err(Box::new((ask, refuse(StatusCode::UNAUTHORIZED, text)).into_response()));
    }
    if !origin::is_json(one(header::CONTENT_TYPE)) {
        let text = "send Content-Type: application/json";
        return Err(Box::new(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)));
    }
    let length = one(header::CONTENT_LENGTH).and_then(|text| std::str::from_utf8(text).ok());
    match length.and_then(|text| text.parse::<u64>().ok()) {
        Some(length) if length > BODY_MAX as u64 => Err(Box::new(too_large())),
        _ => Ok(()),
    }
}

fn too_large() -> Response {
    let text = format!("the body exceeds {BODY_MAX} bytes; send several requests");
    refuse(StatusCode::PAYLOAD_TOO_LARGE, &text)
}

fn refuse(status: StatusCode, text: &str) -> Response {
    (status, format!("{text}\n")).into_response()
}

#[derive(Deserialize)]
struct Subscription {
    topics: Option<String>,
}

async fn subscribe(
    State(server): State<Arc<Server>>,
    ConnectInfo(seat): ConnectInfo<Seat>,
    Query(subscription): Query<Subscription>,
) -> Response {
    let topics = match Topics::parse(subscription.topics.as_deref()) {
        Ok(topics) => topics,
        Err(text) => return refuse(StatusCode::BAD_REQUEST, &text),
    };
    match server.readers.clone().try_acquire_owned() {
        Ok(place) => {
            let place = (place, seat.keep());
            events::stream(&server.calls.context.node, topics, place).into_response()
        }
        Err(_) => {
            let text = format!("{READERS_MAX} readers are connected, no more are allowed");
            refuse(StatusCode::SERVICE_UNAVAILABLE, &text)
        }
    }
}

#[derive(Deserialize)]
struct Detail {
    verbose: Option<String>,
}

async fn ready(State(server): State<Arc<Server>>, Query(detail): Query<Detail>) -> Response {
    let node = &server.calls.context.node;
    let verbose = detail.verbose.is_some_and(|text| text != "0" && text != "false");
    let peers = node.network.peers().len();
    let (is_ready, text) = health::readiness(&node.status(), peers, verbose);
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}

async fn scrape(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let form = Form::accepted(accept.unwrap_or_default());
    // Without the database the other figures are still shown.
    let Context { node, reads } = &server.calls.context;
    let metrics = server.metrics.clone();
    let read = reads.run(move |store| Ok((store.stats(), metrics.disk()))).await.ok();
    let (store, disk) = read.unzip();
    let text = server.metrics.render(node, store, disk.flatten(), form);
    ([(header::CONTENT_TYPE, form.content_type())], Body::from(text)).into_response()
}
