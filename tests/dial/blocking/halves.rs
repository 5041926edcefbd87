//! From a URI to a connection over TCP: names, addresses, time, and what is said when it fails.

use crate::servers::serve;
use framewire::connect;
use std::thread;

#[test]
fn connection_splits() {
    let websocket = connect(&format!("ws://{}/", serve())).unwrap();
    let (mut read_half, mut write_half) = websocket.split().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..100_u8 {
                write_half.write([number]).unwrap();
            }
        });
        for number in 0..100 {
            assert_eq!(
                read_half.next_message().unwrap().unwrap().payload(),
                [number]
            );
        }
    });
    write_half.abort().unwrap();
    assert!(read_half.next_message().is_err());
}
