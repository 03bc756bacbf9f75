//! Expressions: what PostgreSQL answers, what is refused, and that nothing panics.

use proptest::prelude::*;

use crate::support::*;

/// The value of an expression over `a = 7, b = 2, x = 2.5, s = 'Grün', n/f/t NULL of their types, yes, no`, as text.
///
/// The record is there three times: what is made of literals alone has to be as high as the frame.
fn value(expression: &str) -> String {
    let mapping = serde_json::json!({
        "time": {"path": "at"},
        "fields": [
            {"name": "a", "path": "a", "type": "integer"}, {"name": "b", "path": "b", "type": "integer"},
            {"name": "x", "path": "x"}, {"name": "s", "path": "s", "type": "string"},
            {"name": "n", "path": "n", "type": "integer"}, {"name": "f", "path": "n"},
            {"name": "t", "path": "n", "type": "string"}, {"name": "big", "path": "big", "type": "integer"},
            {"name": "yes", "path": "yes", "type": "boolean"}, {"name": "no", "path": "no", "type": "boolean"},
            {"name": "maybe", "path": "n", "type": "boolean"}, {"name": "zero", "path": "zero"}
        ],
        "calculated": [{"name": "r", "expression": expression}],
        "metrics": [{"name": "one", "path": "b"}],
        "tags": [{"name": "r", "field": "r"}]
    });
    let plan = plan(&mapping.to_string());
    let record = r#"{"a":7,"b":2,"x":2.5,"s":"Grün","yes":true,"no":false,"zero":0,"big":9223372036854775807,
        "at":"2026-03-01T13:45:30.5Z"}"#;
    let all = run(&plan, &[record.as_bytes(); 3]);
    assert!(
        all.points.len() == 3 || all.quarantined.len() == 3,
        "{expression}: {all:?}"
    );
    let told = told(&plan, record.as_bytes());
    if told.starts_with("! r: the expression has no result") {
        return "fault".into();
    }
    let tags = told
        .strip_prefix("one")
        .and_then(|t| t.split_once(" = 2 @"))
        .expect(&told)
        .0;
    match tags.strip_prefix("{r=").and_then(|t| t.strip_suffix('}')) {
        Some(value) => value.to_owned(),
        None => "NULL".into(),
    }
}

#[test]
fn answers_are_those_of_postgresql() {
    for (expression, expected) in [
        ("a + b * 3", "13"),
        ("a - b", "5"),
        ("-a % 3", "-1"),
        ("a % -3", "1"),
        ("-7.5 % 2", "-1.5"),
        ("a / b", "3.5"),
        // The nearest number to the quotient, not to the product with the rounded reciprocal.
        ("(a + 7657192783303734.0) / 3", "2552397594434580.5"),
        ("a + x", "9.5"),
        ("-(a + b)", "-9"),
        ("+x", "2.5"),
        ("a + n", "NULL"),
        ("big + 1", "fault"),
        ("big - 1", "9223372036854775806"),
        ("big * 2", "fault"),
        ("-big - 1", "-9223372036854775808"),
        ("-big - 2", "fault"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("a / 0", "fault"),
        ("a % 0", "fault"),
        ("x % zero", "fault"),
        ("zero / zero", "fault"),
        ("1 / (1 / zero)", "fault"),
        ("f / zero", "NULL"),
        ("1e308 * 10 + a", "fault"),
        // Comparison and three-valued logic.
        ("a > b", "true"),
        ("a = 7.0", "true"),
        ("a <> b", "true"),
        ("s = 'Grün'", "true"),
        ("s < 'H'", "true"),
        ("n = n", "NULL"),
        ("n <> 1", "NULL"),
        ("NULL = NULL", "NULL"),
        ("n IS NULL", "true"),
        ("a IS NOT NULL", "true"),
        ("n = 1 OR yes", "true"),
        ("n = 1 OR no", "NULL"),
        ("n = 1 AND no", "false"),
        ("n = 1 AND yes", "NULL"),
        ("no AND n = 1", "false"),
        ("yes OR n = 1", "true"),
        ("FALSE AND 1 / zero > 1", "false"),
        ("TRUE AND 1 / zero > 1", "fault"),
        ("NULL OR 1 / zero > 1", "fault"),
        ("NULL AND FALSE", "false"),
        ("TRUE", "true"),
        ("CASE WHEN TRUE THEN 1 / zero ELSE 2 END", "fault"),
        ("CASE WHEN FALSE THEN 1 / zero ELSE 2 END", "2"),
        ("CASE WHEN NULL THEN 1 END", "NULL"),
        ("1 = NULLIF(2, 2)", "NULL"),
        ("1 <> NULLIF(2, 3) OR NULL", "true"),
        ("NOT maybe", "NULL"),
        ("NOT no", "true"),
        ("NOT NULL", "NULL"),
        ("maybe IS TRUE", "false"),
        ("maybe IS NOT TRUE", "true"),
        ("maybe IS FALSE", "false"),
        ("maybe IS NOT FALSE", "true"),
        ("maybe IS UNKNOWN", "true"),
        ("a IN (1, 7)", "true"),
        ("a IN (1, NULL)", "NULL"),
        ("a IN (7, NULL)", "true"),
        ("a NOT IN (1, NULL)", "NULL"),
        ("a NOT IN (1, 2, 3)", "true"),
        ("a NOT IN (7, NULL)", "false"),
        ("n IN (1, 2)", "NULL"),
        ("s IN ('a', 'Grün')", "true"),
        ("a IN (6.5, 7.0)", "true"),
        ("a BETWEEN 7 AND 9", "true"),
        ("a BETWEEN 9 AND 7", "false"),
        ("a NOT BETWEEN 1 AND 6.5", "true"),
        ("a BETWEEN n AND 6", "false"),
        ("a BETWEEN n AND 8", "NULL"),
        ("s LIKE 'G%n'", "true"),
        ("s LIKE 'Gr_n'", "true"),
        ("s NOT LIKE '%x%'", "true"),
        ("s ILIKE 'GRÜN'", "true"),
        ("t LIKE '%'", "NULL"),
        ("'10%' LIKE '10!%' ESCAPE '!'", "true"),
        ("'a.c' LIKE 'abc'", "false"),
        // A fault in what is not reached is none.
        ("zero <> 0 AND 1 / zero > 1", "false"),
        ("zero = 0 OR 1 / zero > 1", "true"),
        ("yes AND 1 / zero > 1", "fault"),
        ("maybe AND 1 / zero > 1", "fault"),
        ("CASE WHEN zero <> 0 THEN 1 / zero ELSE -1 END", "-1"),
        ("CASE WHEN zero = 0 THEN 1 / zero ELSE -1 END", "fault"),
        ("CASE WHEN zero <> 0 THEN a % 0 ELSE -1 END", "-1"),
        ("CASE WHEN 1 / zero > 1 THEN 1 ELSE 2 END", "fault"),
        ("CASE a WHEN 1 THEN 'one' WHEN 7 THEN 'seven' END", "seven"),
        ("CASE a WHEN 1 THEN 'one' END", "NULL"),
        ("CASE n WHEN NULL THEN 1 ELSE 2 END", "2"),
        ("CASE WHEN n = 1 THEN 1 WHEN yes THEN 2.5 ELSE 3 END", "2.5"),
        ("COALESCE(n, a)", "7"),
        ("COALESCE(n, x)", "2.5"),
        ("COALESCE(a, 1 / zero)", "7"),
        ("COALESCE(a, 5 % 0)", "7"),
        ("COALESCE(n, 5 % 0)", "fault"),
        ("NULLIF(NULL, 1 / zero) = 1", "fault"),
        ("COALESCE(NULLIF(NULL, 1 / zero), 2)", "fault"),
        ("COALESCE(n, NULL)", "NULL"),
        ("NULLIF(a, 7)", "NULL"),
        ("NULLIF(a, 8)", "7"),
        ("NULLIF(a, n)", "7"),
        ("NULLIF(n, 8)", "NULL"),
        ("10 / NULLIF(zero, 0)", "NULL"),
        ("1 / zero IS NULL", "fault"),
        ("1 / zero > 0", "fault"),
        ("GREATEST(a, n, x)", "7"),
        ("LEAST(a, b)", "2"),
        ("LEAST(n, f)", "NULL"),
        // Casts.
        ("CAST('12.5' AS DOUBLE)", "12.5"),
        ("' 12 '::BIGINT", "12"),
        ("CAST('x' AS DOUBLE)", "fault"),
        ("CAST(s AS BIGINT)", "fault"),
        ("CAST(t AS BIGINT)", "NULL"),
        ("CAST('NaN' AS DOUBLE)", "fault"),
        ("CAST(2.5 AS INTEGER)", "2"),
        ("CAST(3.5 AS INTEGER)", "4"),
        ("CAST(-2.6 AS INTEGER)", "-3"),
        ("CAST(1e30 AS BIGINT)", "fault"),
        ("CAST('yes' AS BOOLEAN)", "true"),
        ("CAST('ja' AS BOOLEAN)", "fault"),
        ("CAST(a AS BOOLEAN)", "true"),
        ("CAST(yes AS INTEGER) + 1", "2"),
        ("CAST(x AS TEXT) || '!'", "2.5!"),
        ("CAST(5.0 AS TEXT)", "5"),
        ("CAST(time AS TEXT)", "2026-03-01T13:45:30.500Z"),
        ("CAST(1 / zero AS TEXT)", "fault"),
        // Numbers.
        ("ABS(-3)", "3"),
        ("ABS(-x)", "2.5"),
        ("ABS(-big - 1)", "fault"),
        ("ROUND(x)", "3"),
        ("ROUND(-x)", "-3"),
        ("ROUND(2.345, 1)", "2.3"),
        ("FLOOR(-x)", "-3"),
        ("CEIL(x)", "3"),
        ("CEILING(x)", "3"),
        ("SQRT(6.25)", "2.5"),
        ("SQRT(-1)", "fault"),
        ("POWER(a, 2)", "49"),
        ("POW(2, 0.5) > 1.414", "true"),
        ("POWER(0, -1)", "fault"),
        ("POWER(-8, 0.5)", "fault"),
        ("EXP(0)", "1"),
        ("EXP(1000)", "fault"),
        ("EXP(LN(zero))", "fault"),
        ("LN(1)", "0"),
        ("LN(0)", "fault"),
        ("LN(-1)", "fault"),
        ("LOG10(1000)", "3"),
        ("LOG(100)", "2"),
        ("LOG(2, 8)", "3"),
        ("LOG(1, 8)", "fault"),
        ("LOG(0, 8)", "fault"),
        ("SIGN(-x)", "-1"),
        ("SIGN(zero)", "0"),
        ("SIGN(a)", "1"),
        // Texts.
        ("LOWER(s)", "grün"),
        ("UPPER(s)", "GRÜN"),
        ("TRIM('  a b ')", "a b"),
        ("LENGTH(s)", "4"),
        ("LENGTH(t)", "NULL"),
        ("SUBSTRING(s, 2, 2)", "rü"),
        ("SUBSTRING(s FROM 3)", "ün"),
        ("SUBSTR(s, 0, 2)", "G"),
        ("SUBSTR(s, -5)", "Grün"),
        ("SUBSTR(s, LENGTH(s) - 1)", "ün"),
        ("SUBSTR(s, 1, -1)", "fault"),
        ("SUBSTR(s, n)", "NULL"),
        ("SUBSTR(s, 9) = ''", "true"),
        ("s || '-' || a", "Grün-7"),
        ("s || t", "NULL"),
        ("CONCAT(s, n, a, yes)", "Grün7true"),
        ("REPLACE(s, 'rü', 'xx')", "Gxxn"),
        ("REPLACE(s, '', 'xx')", "Grün"),
        ("REPLACE(t, 'a', 'b')", "NULL"),
        ("STARTS_WITH(s, 'Gr')", "true"),
        ("ENDS_WITH(s, 'Gr')", "false"),
        // Times: 2026-03-01 is a Sunday.
        ("EXTRACT(HOUR FROM time)", "13"),
        ("EXTRACT(MINUTE FROM time)", "45"),
        ("EXTRACT(DOW FROM time)", "0"),
        ("EXTRACT(DAY FROM time)", "1"),
        ("EXTRACT(MONTH FROM time)", "3"),
        ("EXTRACT(YEAR FROM time)", "2026"),
        ("EPOCH(time)", "1772372730.5"),
        ("EPOCH(time) - EPOCH(received_at) > 0", "true"),
        ("time > received_at", "true"),
        ("time >= '2026-03-01T14:45:30.5+01:00'", "true"),
        ("time BETWEEN '2026-01-01T00:00:00Z' AND '2027-01-01T00:00:00Z'", "true"),
        (r#""a" + 1"#, "8"),
        ("a -- a comment\n + 1", "8"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn the_sign_of_a_zero_does_not_depend_on_other_records() {
    // In floats 0 is what -0 + 0, 0 - 0 and 0 + -0 are, and -0 is -0 - 0 and -0 + -0.
    for (expression, text) in [
        ("x + 0", "0"),
        ("0 + x", "0"),
        ("x - 0", "-0"),
        ("0 - x", "0"),
        ("x + (1.0 - 1)", "0"),
        ("x + (0 * -1.0)", "-0"),
        ("x - (0 * -1.0)", "0"),
        ("m", "-0"),
    ] {
        let mapping = serde_json::json!({
            "fields": [{"name": "x", "path": "x"}],
            "calculated": [{"name": "r", "expression": expression}],
            "metrics": [{"name": "m", "path": "x", "scale": 2.0}],
            "tags": [{"name": "r", "field": "r"}]
        });
        let plan = plan(&mapping.to_string());
        let record = br#"{"x":-0.0}"#;
        for records in [&[&record[..]][..], &[&record[..]; 3]] {
            let all = run(&plan, records);
            let tags: Vec<_> = all.series.iter().map(|s| s.tags["r"].as_str()).collect();
            assert_eq!(tags, [text], "{expression} in {} records", records.len());
        }
    }
}

#[test]
fn what_is_refused_is_named_with_its_place_and_the_remedy() {
    let long = format!("v + {}", "1 + ".repeat(1030));
    let chain = format!("v{}", " + 1".repeat(100));
    let nested = format!("{}v{}", "(".repeat(200), ")".repeat(200));
    let nots = format!("{}v > 1", "NOT ".repeat(1000));
    let whens = format!("CASE {} END", "WHEN v = 1 THEN 1 ".repeat(65));
    for (expression, parts) in [
        ("", vec!["empty"]),
        ("v +", vec!["Expected", "such as value * 2"]),
        ("v 2", vec!["2", "character 3", "does not belong"]),
        ("v; DROP TABLE x", vec!["does not belong"]),
        ("'open", vec!["quotes"]),
        (
            "w + 1",
            vec![r#"there is no "w" at character 1"#, "received_at, s, time, v"],
        ),
        ("v + 's'", vec!["+ needs numbers, found a string", "||"]),
        ("v + time", vec!["EPOCH"]),
        ("v AND v > 1", vec!["AND needs a boolean, found a float"]),
        ("v = 's'", vec!["a float and a string cannot be compared", "CAST"]),
        ("v = (v = 's')", vec!["at character 6"]),
        ("time > 5", vec!["cannot be compared"]),
        ("time > s", vec!["a text such as"]),
        ("time > '2026-01-01T00:00:00'", vec!["no offset"]),
        ("(SELECT 1)", vec!["a subquery cannot be used", "allowed are"]),
        ("v IN (SELECT 1)", vec!["a subquery"]),
        ("EXISTS (SELECT 1)", vec!["a subquery"]),
        ("SUM(v)", vec!["SUM is an aggregate"]),
        ("ROW_NUMBER() OVER (ORDER BY v)", vec!["window function"]),
        ("pg_sleep(10)", vec![r#""PG_SLEEP" is not known"#, "allowed are ABS"]),
        ("ABS(v, v)", vec!["ABS takes 1 arguments, found 2"]),
        ("ABS(DISTINCT v)", vec!["write NAME(a, b)"]),
        ("ABS(s)", vec!["ABS needs a number, found a string"]),
        (
            "LOWER(v)",
            vec!["argument 1 of LOWER is a string, found a float", "TEXT"],
        ),
        ("SUBSTR(s, v)", vec!["argument 2", "an integer", "BIGINT"]),
        ("ROUND(v, v)", vec!["places of ROUND"]),
        ("v ~ 'x'", vec!["cannot be used"]),
        ("v & 1", vec!["the operator & cannot be used"]),
        ("s LIKE s", vec!["pattern of LIKE"]),
        ("s LIKE 'a\\'", vec!["escape character"]),
        ("v LIKE 'a'", vec!["LIKE needs a string"]),
        ("CAST(v AS DATE)", vec![r#""DATE" is not known"#, "DOUBLE"]),
        ("TRY_CAST(v AS TEXT)", vec!["this kind of cast"]),
        ("CAST(time AS DOUBLE)", vec!["EPOCH"]),
        (
            "CASE WHEN v > 1 THEN 1 ELSE 's' END",
            vec!["branches of CASE are an integer and a string"],
        ),
        ("EXTRACT(CENTURY FROM time)", vec!["HOUR, MINUTE"]),
        ("EXTRACT(HOUR FROM v)", vec!["needs a timestamp"]),
        ("a.b", vec!["name with dots"]),
        ("X'00'", vec!["literal"]),
        ("$1", vec!["literal"]),
        ("1e999", vec!["no finite number"]),
        ("INTERVAL '1 day'", vec!["an INTERVAL"]),
        ("v\n  + w", vec!["at line 2, character 5"]),
        (long.as_str(), vec!["4096 are allowed"]),
        (chain.as_str(), vec!["deeper than 64"]),
        (nested.as_str(), vec!["deeper than 64"]),
        (nots.as_str(), vec!["write one expression"]),
        (whens.as_str(), vec!["at most 64 WHENs"]),
    ] {
        let mapping = serde_json::json!({
            "fields": [{"name": "s", "path": "s", "type": "string"}],
            "calculated": [{"name": "one", "expression": "1"}, {"name": "r", "expression": expression}],
            "metrics": [{"name": "v", "path": "v"}],
        });
        let error = refusal(&mapping.to_string());
        assert_eq!(error.field, "calculated[1].expression", "{expression}");
        for part in parts {
            assert!(error.reason.contains(part), "{expression}\n{part}\n{}", error.reason);
        }
    }
}

#[test]
fn sources_of_the_wrong_type_are_refused() {
    for (json, field) in [
        (r#"{"filter":"v","metrics":[{"name":"v","path":"v"}]}"#, "filter"),
        (r#"{"filter":"v >","metrics":[{"name":"v","path":"v"}]}"#, "filter"),
        (
            r#"{"fields":[{"name":"s","path":"s","type":"string"}],"metrics":[{"name":"v","field":"s"}]}"#,
            "metrics[0].field",
        ),
        (
            r#"{"calculated":[{"name":"a","expression":"b"},{"name":"b","expression":"1"}],"metrics":[{"name":"v","path":"v"}]}"#,
            "calculated[0].expression",
        ),
        (r#"{"metrics":[]}"#, "metrics"),
    ] {
        assert_eq!(refusal(json).field, field, "{json}");
    }
}

/// Each level would double what the one before it costs if expressions were copied.
#[test]
fn nesting_costs_no_more_than_its_text() {
    let nest = |n: usize, f: &dyn Fn(String) -> String| (0..n).fold("v".to_owned(), |inner, _| f(inner));
    for expression in [
        nest(25, &|e| format!("NULLIF({e},1)")),
        nest(14, &|e| format!("(1 / ({e}))")),
        nest(25, &|e| format!("COALESCE({e},1 / v)")),
        nest(15, &|e| format!("CASE WHEN {e} IN (1,2,3) THEN 1 ELSE 0 END")),
        (0..60)
            .map(|i| format!("WHEN v = {i} THEN 1 / (v - {i})"))
            .collect::<Vec<_>>()
            .join(" ")
            .replacen("WHEN", "CASE WHEN", 1)
            + " END",
        format!(
            "v IN ({})",
            (0..900).map(|i| i.to_string()).collect::<Vec<_>>().join(",")
        ),
    ] {
        let mapping = serde_json::json!({
            "calculated": [{"name": "r", "expression": expression}, {"name": "m", "expression": "CAST(r AS DOUBLE)"}],
            "metrics": [{"name": "v", "path": "v"}, {"name": "m", "field": "m"}],
        });
        let json = mapping.to_string();
        match dash_transform::Plan::compile(&crate::support::mapping(&json)) {
            Ok(plan) => {
                run(&plan, &[br#"{"v":3}"#, br#"{"v":0}"#]);
            }
            Err(e) => panic!("{e}: {expression}"),
        }
    }
}

#[test]
fn calculated_fields_stand_on_those_before_them() {
    let calculated: Vec<_> = (0..120)
        .map(|i| {
            let before = if i == 0 { "v".into() } else { format!("c{}", i - 1) };
            serde_json::json!({"name": format!("c{i}"), "expression": format!("{before} + 1")})
        })
        .collect();
    let mapping = serde_json::json!({
        "calculated": calculated,
        "metrics": [{"name": "v", "path": "v"}, {"name": "m", "field": "c119"}],
    });
    assert_eq!(told(&plan(&mapping.to_string()), br#"{"v":1}"#), "v = 1; m = 121");
}

#[test]
fn texts_cannot_grow_without_bound() {
    let calculated: Vec<_> = (0..40)
        .map(|i| {
            let before = if i == 0 { "s".into() } else { format!("c{}", i - 1) };
            serde_json::json!({"name": format!("c{i}"), "expression": format!("{before} || {before}")})
        })
        .collect();
    let mapping = serde_json::json!({
        "fields": [{"name": "s", "path": "s", "type": "string"}],
        "calculated": calculated,
        "metrics": [{"name": "v", "path": "v"}],
        "tags": [{"name": "t", "field": "c39"}],
    });
    assert!(told(&plan(&mapping.to_string()), br#"{"v":1,"s":"x"}"#).starts_with("! t: the expression has no result"));
}

fn accept_or_refuse(expression: &str) {
    let mapping = dash_model::mapping::Mapping {
        calculated: vec![dash_model::mapping::Calculated {
            name: "r".into(),
            expression: expression.into(),
        }],
        filter: Some(expression.into()),
        ..mapping(
            r#"{"metrics":[{"name":"v","path":"v"},{"name":"w","path":"w","type":"integer"}],"tags":[{"name":"s","path":"s"}]}"#,
        )
    };
    if let Ok(plan) = dash_transform::Plan::compile(&mapping) {
        run(&plan, &[br#"{"v":1,"s":"x","w":3}"#, b"{}"]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_text_is_accepted_or_refused(text in any::<String>()) {
        accept_or_refuse(&text);
    }

    #[test]
    fn any_words_are_accepted_or_refused(words in proptest::collection::vec(prop_oneof![
        Just("v"), Just("w"), Just("s"), Just("time"), Just("1"), Just("0"), Just("2.5"), Just("'a%'"), Just("NULL"), Just("TRUE"),
        Just("+"), Just("-"), Just("*"), Just("/"), Just("%"), Just("="), Just("<"), Just("<>"), Just("||"), Just("AND"), Just("OR"),
        Just("NOT"), Just("IS"), Just("IN"), Just("BETWEEN"), Just("LIKE"), Just("CASE"), Just("WHEN"), Just("THEN"), Just("ELSE"),
        Just("END"), Just("CAST("), Just("AS"), Just("DOUBLE"), Just("TEXT"), Just("("), Just(")"), Just(","), Just("COALESCE("),
        Just("NULLIF("), Just("ROUND("), Just("SUBSTR("), Just("EXTRACT("), Just("HOUR"), Just("FROM"), Just("::"), Just("."), Just("[")
    ], 1..14)) {
        accept_or_refuse(&words.join(" "));
    }
}

#[test]
fn the_longest_chain_neither_overflows_the_stack_when_parsed_nor_when_refused() {
    // Threads of a server have 2 MiB.
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(|| {
            for part in ["+1", "||v", " OR v", "-v", "::INT", "[1]", " IS NULL", ".a"] {
                let n = 4090 / part.len();
                accept_or_refuse(&format!("v{}", part.repeat(n)));
            }
            for part in ["(", "-", "NOT ", "ABS(", "CASE ", "[", "{", "CAST(", "1+(", "- -"] {
                accept_or_refuse(&part.repeat(4090 / part.len()));
            }
        })
        .expect("a thread")
        .join()
        .expect("no overflow");
}
