#![no_main]

libfuzzer_sys::fuzz_target!(
    init: dash_fuzz::catchable_panics(),
    |data: &[u8]| (dash_fuzz::find("spool").expect("a target").run)(data)
);
