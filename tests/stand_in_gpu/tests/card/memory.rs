//! What is allocated is counted as the driver counts it, and no more is given than there is.

use stand_in_gpu::driver::code;
use stand_in_gpu::driver::device::Device;
use stand_in_gpu::driver::settings::Settings;

fn card(memory_bytes: u64) -> Device {
    Device::new(Settings {
        memory_bytes,
        ..Settings::default()
    })
}

#[test]
fn the_pool_counts_in_grains_and_remembers_the_most() {
    let mut card = card(256 << 20);
    let first = card.allocate(1, true).unwrap();
    let second = card.allocate(513, true).unwrap();
    assert_eq!((card.pool.used, card.pool.most_used), (1536, 1536));
    assert_eq!(card.pool.reserved, 32 << 20);
    card.free(first).unwrap();
    assert_eq!((card.pool.used, card.pool.most_used), (1024, 1536));
    card.free(second).unwrap();
    assert_eq!(card.memory(), ((256 - 32) << 20, 256 << 20));
    card.settle();
    assert_eq!((card.pool.reserved, card.pool.most_reserved), (0, 32 << 20));
    assert_eq!(card.free(first), Err(code::INVALID_VALUE));
}

#[test]
fn what_the_pool_keeps_stays_up_to_its_threshold() {
    let mut card = card(256 << 20);
    card.pool.threshold = u64::MAX;
    let all = card.allocate(100 << 20, true).unwrap();
    card.free(all).unwrap();
    card.settle();
    assert_eq!(card.pool.reserved, 128 << 20);
    card.trim(0);
    assert_eq!(card.pool.reserved, 0);
}

#[test]
fn there_is_no_more_than_there_is() {
    let mut card = card(64 << 20);
    let most = card.allocate(60 << 20, true).unwrap();
    assert_eq!(card.allocate(5 << 20, true), Err(code::OUT_OF_MEMORY));
    assert_eq!(card.allocate(5 << 20, false), Err(code::OUT_OF_MEMORY));
    assert_eq!(card.allocate(u64::MAX - 3, true), Err(code::OUT_OF_MEMORY));
    assert_eq!(card.allocate(0, true), Err(code::INVALID_VALUE));
    card.free(most).unwrap();
    // What the pool holds without need makes room.
    card.pool.threshold = u64::MAX;
    assert!(card.allocate(60 << 20, false).is_ok());
    assert!(card.pool.reserved <= 4 << 20);
}

#[test]
fn a_context_takes_its_share() {
    let settings = Settings {
        memory_bytes: 1 << 30,
        context_bytes: 300 << 20,
        ..Settings::default()
    };
    let mut card = Device::new(settings);
    assert_eq!(card.memory().0, 1 << 30);
    card.contexts = 1;
    assert_eq!(card.memory().0, (1024 - 300) << 20);
    assert_eq!(card.allocate(800 << 20, true), Err(code::OUT_OF_MEMORY));
}
