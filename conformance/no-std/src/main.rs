//! An echo of one frame without the standard library and without an allocator.
//!
//! Linking it is the proof: were `std` anywhere below, its panic handler would be the second
//! one, and `alloc` would ask for an allocator that is not here. Exits with 0 when the frame came
//! back as RFC 6455 5.7 has it.
#![no_std]
#![no_main]

use core::ffi::c_int;
use core::hint::black_box;
use core::panic::PanicInfo;

use framewire::frame::{Header, MAX_HEADER, Opcode, Rsv};
use framewire::protocol::{Decoder, Encoder, Limits, Role};

// Starts the program (through crt1.o) and gives it `memcpy` and its like.
#[link(name = "c")]
unsafe extern "C" {}

// SAFETY: no other `main` is linked, and the C runtime takes any C function of this name that
// returns an int.
#[unsafe(no_mangle)]
extern "C" fn main() -> c_int {
    match echo() {
        Some(true) => 0,
        Some(false) => 1,
        None => 2,
    }
}

/// Whether the frame came back right; `None` when it was not taken or not made.
fn echo() -> Option<bool> {
    // RFC 6455 5.7: "Hello", masked, and the same unmasked.
    let mut received = [
        0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
    ];
    let expected = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];

    // Without it the optimiser would do all of this while compiling, and link none of it.
    black_box(&mut received);
    let (header, _) = Header::decode(&received).ok()??;
    let mut decoder = Decoder::new(Role::Server, Limits::default());
    let (used, piece) = decoder.decode(&mut received).ok()?;
    let piece = piece?;
    let whole = piece.opcode == Opcode::Text
        && piece.first
        && piece.last
        && header.opcode() == piece.opcode;

    let mut encoder = Encoder::server();
    let reply = encoder
        .frame(true, Rsv::NONE, piece.opcode, piece.payload)
        .ok()?;
    let mut head = [0; MAX_HEADER];
    let len = reply.encode(&mut head);
    Some(whole && used == 11 && head[..len] == expected[..2] && *piece.payload == expected[2..])
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
