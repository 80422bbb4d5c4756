#![no_main]

/// One of each kind; the first byte chooses.
const NAMES: [&str; 5] = ["Dockerfile", "compose.yaml", "Procfile", "app.service", "start.sh"];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else { return };
    boundby_fuzz::scan_file(NAMES[usize::from(*first) % NAMES.len()], rest);
});
