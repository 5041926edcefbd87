//! Model tests of a pool that threads share.

use loom::thread;

use super::{BufferPool, Buffers};

#[test]
fn threads_that_give_and_take_at_once_have_no_buffer_in_common_and_leave_no_more_than_are_kept() {
    loom::model(|| {
        let buffers = Buffers::Pooled(BufferPool::keeping(1));
        let giving: Vec<_> = (1..=2)
            .map(|number| {
                let buffers = buffers.clone();
                thread::spawn(move || buffers.give_read(&mut vec![number; 1]))
            })
            .collect();
        let taken = buffers.take_to_read(0);
        for thread in giving {
            thread.join().expect("no panic");
        }
        let left = buffers.take_to_read(0);
        assert!(!left.is_empty() || !taken.is_empty());
        assert_ne!(left, taken);
        assert!(buffers.take_to_read(0).is_empty());
    });
}
