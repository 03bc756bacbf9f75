//! The clock and the zone of whoever looks. The server has no such zone: what depends on it is shown after hydration.

/// Milliseconds since 1970 UTC.
pub fn now_ms() -> i64 {
    #[cfg(feature = "hydrate")]
    return js_sys::Date::now() as i64;
    #[cfg(not(feature = "hydrate"))]
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as i64)
}

/// The time whose UTC reads like `ms` reads in the visitor's zone.
pub fn local_wall_ms(ms: i64) -> i64 {
    #[cfg(feature = "hydrate")]
    return ms - date(ms).get_timezone_offset() as i64 * 60_000;
    #[cfg(not(feature = "hydrate"))]
    ms
}

/// What an `<input type="datetime-local">` holds, in the visitor's zone.
pub fn parse_local(text: &str) -> Option<i64> {
    #[cfg(feature = "hydrate")]
    {
        let ms = js_sys::Date::parse(text);
        ms.is_finite().then_some(ms as i64)
    }
    #[cfg(not(feature = "hydrate"))]
    {
        let _ = text;
        None
    }
}

/// `15:04:05` in the visitor's zone.
pub fn local_clock(ms: i64) -> String {
    let day_s = local_wall_ms(ms).div_euclid(1_000).rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", day_s / 3_600, day_s / 60 % 60, day_s % 60)
}

/// The time alone when it is of today (by `now`), else the date and the minute; in the visitor's zone.
pub fn local_short(ms: i64, now: i64) -> String {
    const DAY: i64 = 86_400_000;
    let (local, today) = (local_wall_ms(ms), local_wall_ms(now));
    if local.div_euclid(DAY) == today.div_euclid(DAY) {
        local_clock(ms)
    } else {
        crate::components::format::iso(local)[..16].replace('T', " ")
    }
}

#[cfg(feature = "hydrate")]
fn date(ms: i64) -> js_sys::Date {
    js_sys::Date::new(&wasm_bindgen::JsValue::from_f64(ms as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_of_today_needs_its_date() {
        let now = 1_795_449_600_000;
        assert_eq!(local_short(now - 1_000, now), "15:59:59");
        assert_eq!(local_short(now - 86_400_000, now), "2026-11-22 16:00");
    }
}
