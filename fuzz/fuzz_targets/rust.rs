#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| boundby_fuzz::scan_file("input.rs", bytes));
