//! Requests and answers.

use bytes::Bytes;
use futures::future::join_all;
use timecoin_network::{InboundRequest, Network, PeerId, Protocol, RequestError};

use crate::support::{config, connected, joining, node, noise, within};

async fn pair(seed: u8) -> (Network, Network, PeerId) {
    let mut server = node(seed, config()).await;
    let mut client = node(seed + 1, joining(&[&server])).await;
    connected(&mut server).await;
    let peer = connected(&mut client).await;
    (server, client, peer)
}

async fn request(server: &mut Network) -> InboundRequest {
    within("a request", server.requests.recv()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_protocol_carries_its_largest_request_and_answer() {
    let (mut server, client, peer) = pair(40).await;
    for protocol in Protocol::ALL {
        let question = noise(1, protocol.request_bytes_max());
        let answer = noise(2, protocol.response_bytes_max());
        let (answered, ()) =
            tokio::join!(client.handle.request(peer, protocol, question.clone()), async {
                let request = request(&mut server).await;
                assert_eq!((request.protocol, &request.bytes), (protocol, &question));
                assert_eq!(request.from, client.handle.local_peer_id());
                request.reply.send(answer.clone());
            });
        assert!(answered.unwrap() == answer, "{protocol}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_on_both_sides() {
    let (mut server, client, peer) = pair(42).await;
    let limit = Protocol::Status.request_bytes_max();
    assert_eq!(
        client.handle.request(peer, Protocol::Status, noise(1, limit + 1)).await,
        Err(RequestError::TooLarge { protocol: Protocol::Status, bytes: limit + 1, limit })
    );
    let (answered, ()) =
        tokio::join!(client.handle.request(peer, Protocol::Status, Bytes::new()), async {
            let too_large = noise(1, Protocol::Status.response_bytes_max() + 1);
            request(&mut server).await.reply.send(too_large);
        });
    assert_eq!(answered, Err(RequestError::Busy));
    assert_eq!(server.handle.stats().protocol(Protocol::Status).answer_too_large, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_is_said_or_implied_and_a_stranger_is_not_asked() {
    let (mut server, client, peer) = pair(44).await;
    let closings: [fn(InboundRequest); 2] = [|request| request.reply.busy(), drop];
    for close in closings {
        let (answered, ()) = tokio::join!(
            client.handle.request(peer, Protocol::Votes, Bytes::from_static(b"have none")),
            async { close(request(&mut server).await) }
        );
        assert_eq!(answered, Err(RequestError::Busy));
    }
    let stranger = PeerId::random();
    assert_eq!(
        client.handle.request(stranger, Protocol::Votes, Bytes::new()).await,
        Err(RequestError::NotConnected { peer: stranger })
    );
    let stats = (server.handle.stats(), client.handle.stats());
    assert_eq!(stats.0.protocol(Protocol::Votes).busy, 2);
    assert_eq!(stats.1.protocol(Protocol::Votes).refused, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_too_often_hears_busy() {
    let (mut server, client, peer) = pair(46).await;
    let answering = tokio::spawn(async move {
        while let Some(request) = server.requests.recv().await {
            request.reply.send(Bytes::from_static(b"here"));
        }
    });
    let mut busy = 0;
    let mut answered = 0;
    while busy == 0 {
        let round = (0..16).map(|_| client.handle.request(peer, Protocol::Status, Bytes::new()));
        for result in within("answers", join_all(round)).await {
            match result {
                Ok(_) => answered += 1,
                Err(RequestError::Busy) => busy += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(answered >= 200, "the burst is 200, answered were {answered}");
    // Another protocol has its own bucket.
    assert!(client.handle.request(peer, Protocol::Votes, Bytes::new()).await.is_ok());
    answering.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_asker_learns_that_the_peer_is_gone() {
    let (mut server, client, peer) = pair(48).await;
    let (answered, ()) =
        tokio::join!(client.handle.request(peer, Protocol::Blocks, Bytes::new()), async {
            let _unanswered = request(&mut server).await;
            server.handle.shutdown().await;
        });
    assert!(
        matches!(answered, Err(RequestError::Closed | RequestError::Malformed(_))),
        "{answered:?}"
    );
}
