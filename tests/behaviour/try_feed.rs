//! What is queued without waiting: as much as the write buffer has room for.

use framewire::{Config, TryFeedError};
use support::connection::all_endpoints;
use support::oracle;
use support::pattern;
use support::peer::{ScriptedPeer, Taking};

const WRITE_BUFFER: usize = 1000;

#[test]
fn a_message_is_queued_while_there_is_room_though_the_stream_takes_nothing() {
    for end in all_endpoints() {
        let peer = ScriptedPeer::default().taking(Taking::Nothing);
        let config = Config::default().write_buffer(WRITE_BUFFER);
        let mut socket = end.open(&peer, config).unwrap();
        // Of which compression makes nothing shorter.
        let all = pattern(2000);
        let messages: Vec<_> = all.chunks(100).collect();
        socket.feed(messages[0]).unwrap();
        assert!(socket.flush().unwrap_err().is_would_block());
        let writes = peer.calls().writes;

        let mut fed = 1;
        while socket.try_feed(messages[fed]).is_ok() {
            fed += 1;
        }
        let buffered = socket.buffered();
        let room = WRITE_BUFFER - buffered;
        assert!(room < 100 + 14, "{buffered} bytes wait");
        let full = socket.try_feed(messages[fed]);
        assert!(matches!(full, Err(TryFeedError::Full(given_back)) if given_back == messages[fed]));
        assert_eq!(peer.calls().writes, writes);

        peer.set_taking(Taking::All);
        socket.flush().unwrap();
        let frames = oracle::frames(&end.heard(&peer.written()));
        let payloads: Vec<_> = frames.into_iter().map(|frame| frame.payload).collect();
        assert_eq!(payloads, messages[..fed]);
    }
}
