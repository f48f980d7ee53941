//! The one source of random bits in the process.

use std::sync::Arc;

use broker::broker::Random;
use metadata::controller::Random as ControllerRandom;

/// The operating system's source.
#[derive(Clone, Copy, Debug)]
pub struct SystemRandom;

impl SystemRandom {
    /// The source as the broker takes it.
    pub fn shared() -> Random {
        Arc::new(bits)
    }
}

impl ControllerRandom for SystemRandom {
    fn bits(&mut self) -> u128 {
        bits()
    }
}

fn bits() -> u128 {
    let mut bytes = [0; 16];
    let mut filled = 0;
    while filled < bytes.len() {
        let flags = rustix::rand::GetRandomFlags::empty();
        // Only a kernel without the call fails here, and none of those is supported.
        filled += rustix::rand::getrandom(&mut bytes[filled..], flags).expect("the kernel has random bits");
    }
    u128::from_ne_bytes(bytes)
}
