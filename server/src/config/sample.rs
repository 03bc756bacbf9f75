//! `.env.sample`, made of the table.

use std::fmt::Write;

use super::variables::SECTIONS;

/// The text of `.env.sample`: every variable, explained, commented out at its default.
pub fn sample() -> String {
    let mut out = String::from(
        "# Everything that can be set, each at its default: nothing here is needed to start.\n\
         # Copy this file to .env and uncomment what you change; `make run` reads it. An empty value counts as not set.\n\
         # Secrets may stand in files: NAME_FILE=/run/secrets/name instead of NAME=...\n\
         # `server config` prints what is in force and where it came from.\n",
    );
    for section in SECTIONS {
        let _ = write!(out, "\n# --- {} ---\n", section.title);
        for variable in section.variables {
            let file = if variable.secret {
                format!(" Or {}_FILE.", variable.name)
            } else {
                String::new()
            };
            let default = variable.default.replace("{data}", ".dash");
            let _ = write!(
                out,
                "\n# {}{file}\n# Allowed: {}.\n#{}={default}\n",
                variable.meaning, variable.allowed, variable.name
            );
        }
    }
    out
}
