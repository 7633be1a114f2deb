//! Answers about the mesh.
use super::*;

#[test]
fn answers_about_the_mesh() {
    frozen::<GetNetTotals>(
        &NetTotals {
            totalbytesrecv: 1,
            totalbytessent: 2,
            timemillis: 5_123,
            uploadtarget: UploadTarget {
                timeframe: 1,
                target: 1_024,
                target_reached: true,
                serve_historical_blocks: false,
            },
        },
        r#"{"totalbytesrecv":1,"totalbytessent":2,"timemillis":5123,"uploadtarget":{"timeframe":1,"target":1024,"target_reached":true,"serve_historical_blocks":false}}"#,
    );
    frozen::<GetNodeAddresses>(
        &vec![NodeAddress {
            time: 5,
            services: 1,
            address: "9.8.7.6".into(),
            port: 24_000,
            network: "ipv4".into(),
        }],
        r#"[{"time":5,"services":1,"address":"9.8.7.6","port":24000,"network":"ipv4"}]"#,
    );
    frozen::<GetMeshBook>(
        &BookView {
            counts: book_counts(),
            entries: vec![BookEntryView {
                peer: "12D3".into(),
                addresses: vec![BookAddressView {
                    address: "/ip4/9.8.7.6/tcp/1".into(),
                    proved: true,
                }],
                netgroup: Some("9.8.0.0/16".into()),
                state: "tried".into(),
                connected: false,
                bootstrap: true,
                anchor: false,
                failures: 3,
                last_error: Some("refused".into()),
                time: 5,
                next_dial_ms: Some(250),
            }],
        },
        &format!(
            r#"{{"counts":{BOOK_COUNTS},"entries":[{{"peer":"12D3","addresses":[{{"address":"/ip4/9.8.7.6/tcp/1","proved":true}}],"netgroup":"9.8.0.0/16","state":"tried","connected":false,"bootstrap":true,"anchor":false,"failures":3,"last_error":"refused","time":5,"next_dial_ms":250}}]}}"#
        ),
    );
    frozen::<GetMeshInfo>(
        &mesh_info(),
        &format!(
            r#"{{"external":["/ip4/9.9.9.9/tcp/1"],"reserved":["12D3"],"connections":{{"inbound":1,"inbound_max":32,"outbound":2,"outbound_max":18,"outbound_target":8,"outbound_netgroups":2,"pending":0,"pending_max":64,"evicted":3}},"topics":[{{"topic":"votes","mesh":4,"published":1,"received":2,"accepted":3,"ignored":4,"rejected":5,"duplicates":6,"over_quota":7,"dropped":8,"bytesrecv":9}}],"lanes":[{{"lane":"fast","peers":4}}],"protocols":[{{"protocol":"blocks","received":1,"sent":2,"failed":3,"busy":4,"bytesrecv":5,"bytessent":6}}],"book":{BOOK_COUNTS},"bans":1,"refusals":[{{"reason":"full","text":"all places are taken","count":2,"seconds_ago":7}}],"slow":{{"count":1,"peer":"12D3","seconds_ago":9}},"recent":[{{"peer":"12D3","reason":"banned","time":5}}],"loop_lag_ms":1,"loop_lag_max_ms":20,"memory":4096,"memory_max":8192,"open_files":60,"open_files_max":null}}"#
        ),
    );
}

fn book_counts() -> BookCountsView {
    let largest = vec![NetgroupView { netgroup: "9.8.0.0/16".into(), peers: 2 }];
    BookCountsView { tried: 1, new: 2, bootstrap: 1, netgroups: 1, largest }
}

const BOOK_COUNTS: &str = r#"{"tried":1,"new":2,"bootstrap":1,"netgroups":1,"largest":[{"netgroup":"9.8.0.0/16","peers":2}]}"#;

fn mesh_info() -> MeshInfo {
    MeshInfo {
        external: vec!["/ip4/9.9.9.9/tcp/1".into()],
        reserved: vec!["12D3".into()],
        connections: ConnectionsView {
            inbound: 1,
            inbound_max: 32,
            outbound: 2,
            outbound_max: 18,
            outbound_target: 8,
            outbound_netgroups: 2,
            pending: 0,
            pending_max: 64,
            evicted: 3,
        },
        topics: vec![TopicView {
            topic: "votes".into(),
            mesh: 4,
            published: 1,
            received: 2,
            accepted: 3,
            ignored: 4,
            rejected: 5,
            duplicates: 6,
            over_quota: 7,
            dropped: 8,
            bytesrecv: 9,
        }],
        lanes: vec![LaneView { lane: "fast".into(), peers: 4 }],
        protocols: vec![ProtocolView {
            protocol: "blocks".into(),
            received: 1,
            sent: 2,
            failed: 3,
            busy: 4,
            bytesrecv: 5,
            bytessent: 6,
        }],
        book: book_counts(),
        bans: 1,
        refusals: vec![RefusalView {
            reason: "full".into(),
            text: "all places are taken".into(),
            count: 2,
            seconds_ago: Some(7),
        }],
        slow: SlowView { count: 1, peer: Some("12D3".into()), seconds_ago: Some(9) },
        recent: vec![DepartureView { peer: "12D3".into(), reason: "banned".into(), time: 5 }],
        loop_lag_ms: 1,
        loop_lag_max_ms: 20,
        memory: 4_096,
        memory_max: 8_192,
        open_files: Some(60),
        open_files_max: None,
    }
}
