//! Light, dark, or what the system says: a cookie, so that the first paint is right without any script.

/// What the visitor chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

const COOKIE: &str = "theme";

impl Theme {
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// As it stands in addresses, the cookie and `<html data-theme>`.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.name() == name)
    }

    /// What is no theme is the system's.
    pub fn parse(name: &str) -> Self {
        Self::named(name).unwrap_or_default()
    }

    /// `<html data-theme>`: absent where the system decides.
    pub fn attribute(self) -> Option<&'static str> {
        (self != Self::System).then(|| self.name())
    }

    /// Of a `Cookie` header.
    pub fn from_cookies(header: &str) -> Self {
        header
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == COOKIE)
            .map_or(Self::System, |(_, value)| Self::parse(value))
    }

    /// The `Set-Cookie` that remembers this choice for a year, or forgets it.
    pub fn set_cookie(self) -> String {
        let age = if self == Self::System { 0 } else { 365 * 86_400 };
        format!("{COOKIE}={}; Path=/; Max-Age={age}; SameSite=Lax", self.name())
    }

    /// The choice of this request or of this document.
    pub fn current() -> Self {
        #[cfg(feature = "ssr")]
        return leptos::prelude::use_context::<http::request::Parts>().map_or(Self::System, |parts| {
            let cookies = parts.headers.get_all(http::header::COOKIE).iter();
            Self::from_cookies(&cookies.filter_map(|c| c.to_str().ok()).collect::<Vec<_>>().join(";"))
        });
        #[cfg(not(feature = "ssr"))]
        browser::root()
            .and_then(|root| root.get_attribute("data-theme"))
            .map_or(Self::System, |name| Self::parse(&name))
    }

    /// Shows this choice at once and remembers it. In the browser only.
    pub fn apply(self) {
        #[cfg(not(feature = "ssr"))]
        browser::apply(self);
    }
}

#[cfg(not(feature = "ssr"))]
mod browser {
    use wasm_bindgen::JsCast;

    use super::Theme;

    pub fn root() -> Option<web_sys::Element> {
        web_sys::window()?.document()?.document_element()
    }

    pub fn apply(theme: Theme) {
        let Some(root) = root() else { return };
        // Neither can fail: the names are constants.
        let _ = match theme.attribute() {
            Some(name) => root.set_attribute("data-theme", name),
            None => root.remove_attribute("data-theme"),
        };
        if let Some(document) = root
            .owner_document()
            .and_then(|d| d.dyn_into::<web_sys::HtmlDocument>().ok())
        {
            // Refused where cookies are: then the choice holds for this page only.
            let _ = document.set_cookie(&theme.set_cookie());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        for (header, theme) in [
            ("", Theme::System),
            ("theme=dark", Theme::Dark),
            ("a=b; theme=light; c=d", Theme::Light),
            ("mytheme=dark", Theme::System),
            ("theme=purple", Theme::System),
        ] {
            assert_eq!(Theme::from_cookies(header), theme, "{header}");
        }
    }

    #[test]
    fn the_systems_choice_forgets_the_cookie() {
        assert!(Theme::System.set_cookie().contains("Max-Age=0"));
        assert_eq!(Theme::from_cookies(&Theme::Dark.set_cookie()), Theme::Dark);
    }
}
