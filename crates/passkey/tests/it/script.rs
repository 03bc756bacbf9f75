//! The script, in Node.js with a browser that is made up.

use std::process::Command;

#[test]
fn the_script_keeps_its_promises() {
    let run = Command::new("node")
        .args(["--test", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/script.mjs")])
        .output()
        .expect("node, as building the pages needs it too");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
}
