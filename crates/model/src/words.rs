//! Closed sets, and the words that stand for their cases in addresses and in the database.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$case_doc:meta])* $case:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$case_doc])* $case),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$case),+];

            /// As it is written in addresses and in the database.
            pub fn word(self) -> &'static str {
                match self { $(Self::$case => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::account::UnknownWord;

            fn from_str(text: &str) -> Result<Self, crate::account::UnknownWord> {
                Self::ALL.iter().copied().find(|case| case.word() == text).ok_or_else(|| crate::account::UnknownWord {
                    found: text.to_owned(),
                    allowed: Self::ALL.iter().map(|case| case.word()).collect::<Vec<_>>().join(", "),
                })
            }
        }
    };
}

pub(crate) use words;
