//! The audit log as a file.

use dash_db::store::audit::Entry;
use serde_json::json;

/// The first line of the CSV.
pub const CSV_HEADER: &str = "number,at,actor,actor_name,address,action,target,before,after,hash\r\n";

/// Rows of the CSV. A cell that a spreadsheet would compute begins with an apostrophe, or whoever opens the file runs what somebody else wrote into
/// a name.
pub fn csv_rows(entries: &[Entry]) -> String {
    let mut text = String::new();
    for entry in entries {
        let number = entry.number.to_string();
        let at = super::post::when(entry.at).to_rfc3339();
        let hash: String = entry.hash.iter().map(|b| format!("{b:02x}")).collect();
        let cells = [
            &number,
            &at,
            &entry.actor,
            &entry.actor_name,
            entry.address.as_deref().unwrap_or_default(),
            &entry.action,
            &entry.target,
            entry.before.as_deref().unwrap_or_default(),
            entry.after.as_deref().unwrap_or_default(),
            &hash,
        ];
        let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    text
}

fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

/// As JSON, an entry a line.
pub fn json_lines(entries: &[Entry]) -> String {
    let raw = |text: &Option<String>| {
        text.as_deref()
            .and_then(|t| serde_json::from_str::<serde_json::Value>(t).ok())
    };
    let line = |entry: &Entry| {
        let hash: String = entry.hash.iter().map(|b| format!("{b:02x}")).collect();
        json!({
            "number": entry.number,
            "at": super::post::when(entry.at).to_rfc3339(),
            "actor": entry.actor,
            "actor_id": entry.actor_id,
            "actor_name": entry.actor_name,
            "address": entry.address,
            "action": entry.action,
            "target": entry.target,
            "before": raw(&entry.before),
            "after": raw(&entry.after),
            "hash": hash,
        })
        .to_string()
            + "\n"
    };
    entries.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use dash_model::Micros;

    use super::*;

    fn entry(name: &str) -> Entry {
        Entry {
            number: 1,
            at: Micros(0),
            actor: "person".into(),
            actor_id: None,
            actor_name: name.into(),
            address: None,
            action: "pipeline.create".into(),
            target: "pipeline \"x\", y".into(),
            before: None,
            after: Some(r#"{"a":1}"#.into()),
            previous: [0; 32],
            hash: [255; 32],
        }
    }

    #[test]
    fn a_formula_in_a_name_is_a_name() {
        for name in [
            "=HYPERLINK(\"http://evil.test\")",
            "+1",
            "-1+1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
        ] {
            let row = csv_rows(&[entry(name)]);
            assert!(row.contains(&format!("\"'{}\"", name.replace('"', "\"\""))), "{row:?}");
        }
        let text = csv_rows(&[entry("Ada")]);
        assert!(
            text.contains(r#""Ada","","pipeline.create","pipeline ""x"", y","","{""a"":1}""#),
            "{text}"
        );
    }

    #[test]
    fn a_line_of_json_is_an_entry() {
        let text = json_lines(&[entry("Ada"), entry("Bob\n")]);
        let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).expect("json")).collect();
        assert_eq!(lines[0]["after"]["a"], 1);
        assert_eq!(lines[1]["actor_name"], "Bob\n");
    }
}
