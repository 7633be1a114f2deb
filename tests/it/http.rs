//! The RPC server byte by byte: what any HTTP client sees.
use crate::{
    net::{Net, Node},
    room::Room,
    wait::PATIENCE,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    time::Instant,
};
use timecoin::rpc_client::{Event, RpcClient};

#[test]
fn the_server_lets_in_whom_it_should_and_answers_in_both_dialects() {
    let net = Net::single(Room::one());
    let node = net.node("val0");
    let count = r#"{"jsonrpc":"2.0","method":"getblockcount","id":1}"#;
    let (cookie, wrong) = (cookie(node), authorization("__cookie__:00"));

    for (headers, status) in [
        (vec![host(node), cookie.clone()], 200),
        (vec![host(node)], 401),
        (vec![host(node), wrong], 401),
        (vec![host(node), cookie.replace("Basic", "Bearer")], 401),
        (vec!["Host: evil.example".into(), cookie.clone()], 403),
        (vec![cookie.clone()], 403),
        (vec![host(node), "Origin: http://evil.example".into(), cookie.clone()], 403),
        (vec![host(node), "Origin: http://localhost:8080".into(), cookie.clone()], 200),
        (vec![host(node), cookie.clone(), "Content-Type: text/html".into()], 415),
    ] {
        let answer = post(node, &headers, count);
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text);
        println!("HTTP {status} for {}", headers.join(", ").replace(&cookie, "the cookie"));
    }
    let headers = [host(node), cookie.clone()];
    // The announced length is enough for a refusal.
    let long = [host(node), cookie.clone(), "Content-Length: 5242881".into()].join("\r\n");
    let answered =
        answer(open(node, &format!("POST / HTTP/1.1\r\nConnection: close\r\n{long}\r\n\r\n")));
    assert_eq!(answered.status, 413, "{}", answered.text);

    let height = node.height();
    let old = post(node, &headers, r#"{"method":"getblockhash","params":[1],"id":"x"}"#);
    let expected = json!({ "result": node.hash_at(1), "error": null, "id": "x" });
    assert_eq!((old.status, old.json()), (200, expected));
    let missing = post(node, &headers, r#"{"method":"nothing","id":1}"#);
    assert_eq!((missing.status, &missing.json()["error"]["code"]), (404, &json!(-32601)));
    let garbage = post(node, &headers, "{");
    assert_eq!((garbage.status, &garbage.json()["error"]["code"]), (500, &json!(-32700)));

    let batch = r#"[{"jsonrpc":"2.0","method":"getblockhash","params":{"height":1},"id":1},
        {"jsonrpc":"2.0","method":"getblockcount"},
        {"jsonrpc":"2.0","method":"nothing","id":2}, 5,
        {"jsonrpc":"2.0","method":"getblockcount","id":3}]"#;
    let answer = post(node, &headers, batch);
    assert_eq!(answer.status, 200);
    let replies = answer.json();
    let replies = replies.as_array().unwrap();
    assert_eq!(replies.len(), 4, "a notification has no reply");
    assert_eq!(replies[0]["result"], node.hash_at(1));
    assert_eq!(replies[1]["error"]["code"], -32601);
    assert_eq!(replies[2]["error"]["code"], -32600);
    assert!(replies[3]["result"].as_u64().unwrap() >= height);
    net.assert_sound();
}

#[test]
fn pages_for_machines_need_no_cookie_and_events_bring_each_block() {
    let net = Net::single(Room::one());
    let node = net.node("val0");
    for (path, status, words) in [
        ("/livez", 200, "ok"),
        ("/readyz", 200, "ok"),
        ("/readyz?verbose", 200, "[+] consensus at height"),
        ("/metrics", 200, "timecoin_chain_height "),
        ("/metrics", 200, "# TYPE timecoin_chain_blocks_total counter\n"),
        ("/events?topics=all", 400, "block and tx"),
        ("/", 405, ""),
        ("/none", 404, ""),
    ] {
        let (answered, text) = node.client.get(path).unwrap();
        assert_eq!(answered, status, "{path}: {text}");
        assert!(text.contains(words), "{path}: no `{words}` in {text}");
    }
    let evil = "GET /metrics HTTP/1.1\r\nConnection: close\r\nHost: evil.example\r\n\r\n";
    assert_eq!(answer(open(node, evil)).status, 403);

    for (accept, kind) in [
        ("*/*", "text/plain; version=0.0.4"),
        (
            "application/openmetrics-text; version=1.0.0",
            "application/openmetrics-text; version=1.0.0",
        ),
    ] {
        let ask = format!(
            "GET /metrics HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
        );
        let scrape = answer(open(node, &ask));
        assert!(scrape.head.contains(&format!("content-type: {kind}")), "{}", scrape.head);
        assert_eq!(scrape.text.contains("# EOF"), accept != "*/*");
    }

    // Events need no cookie: a client without one follows them.
    let address = node.client.address();
    let events = RpcClient::new(address, None).events("block").unwrap();
    let before = node.height();
    let blocks = events.filter(|event| event.name == "block").take(2);
    let blocks: Vec<Value> =
        blocks.map(|event| serde_json::from_str(&event.data).unwrap()).collect();
    let first = blocks[0]["height"].as_u64().unwrap();
    assert!(first >= before, "{blocks:?}");
    assert_eq!(blocks[1]["height"].as_u64().unwrap(), first + 1);
    for block in &blocks {
        let hash = node.hash_at(block["height"].as_u64().unwrap());
        assert_eq!(block["hash"], hash);
        assert_eq!((&block["weight"], &block["total"]), (&json!(1), &json!(1)));
    }
    println!("events: {} and {}", blocks[0], blocks[1]);
    net.assert_sound();
}

/// Idle connections, and requests that never end, keep nobody out.
#[test]
fn a_thousand_idle_connections_keep_nobody_out_and_event_readers_in() {
    let net = Net::single(Room::one());
    let node = net.node("val0");
    let mut events = node.client.events("block").unwrap();
    let head = format!("HEAD /events HTTP/1.1\r\n{}\r\n\r\n", host(node));
    let starts = ["".to_owned(), "GET /livez HTTP/1.1\r\nHost:".into(), "\r\n\r\n".into(), head];
    let idle: Vec<TcpStream> =
        (0..1_000).map(|number| open(node, &starts[number % starts.len()])).collect();
    for page in ["/livez", "/readyz", "/metrics"] {
        let begun = Instant::now();
        // A client of its own: a connection that is open may have been closed for another.
        let client = RpcClient::new((Ipv4Addr::LOCALHOST, node.rpc).into(), None);
        let (status, text) = client.get(page).unwrap();
        assert_eq!(status, 200, "{page}: {text}");
        println!("{page} after {:?}", begun.elapsed());
    }
    let height = node.height();
    let is_later = |event: &Event| {
        let block: Value = serde_json::from_str(&event.data).unwrap_or_default();
        block["height"].as_u64() > Some(height)
    };
    assert!(events.find(is_later).is_some(), "the reader of events is still served");
    drop(idle);
}

struct Answer {
    status: u16,
    head: String,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

fn post(node: &Node, headers: &[String], body: &str) -> Answer {
    let length = body.len();
    let head = headers.join("\r\n");
    let request = format!(
        "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{head}\r\n\r\n{body}"
    );
    answer(open(node, &request))
}

fn open(node: &Node, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, node.rpc)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // When the server refuses a request by its head, it may close before the client sends the rest.
    let _ = stream.write_all(request.as_bytes());
    stream
}

fn answer(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // As above: the bytes before the end count.
    let _ = stream.read_to_end(&mut bytes);
    let whole = String::from_utf8_lossy(&bytes).into_owned();
    let (head, text) = whole.split_once("\r\n\r\n").unwrap_or((&whole, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("no answer: {whole}"));
    Answer { status, head: head.to_lowercase(), text: text.to_owned() }
}

fn host(node: &Node) -> String {
    format!("Host: 127.0.0.1:{}", node.rpc)
}

fn cookie(node: &Node) -> String {
    authorization(fs::read_to_string(node.dir.join("data/.cookie")).unwrap().trim())
}

fn authorization(credentials: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(credentials))
}
