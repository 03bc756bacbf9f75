//! The process: its address, directories, number, log.

use std::{net::SocketAddr, path::PathBuf};

use tracing_subscriber::EnvFilter;

use super::{ConfigError, reader::Reader, value::switch};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// DASH_ADDR
    pub address: SocketAddr,
    /// DASH_DATA
    pub data: PathBuf,
    /// DASH_SITE
    pub site: PathBuf,
    /// DASH_DEMO
    pub demo: bool,
    /// DASH_NODE
    pub node: u8,
    /// DASH_LOG: a filter that parses.
    pub log: String,
}

impl Process {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(reader: &mut Reader<'_, F>) -> Result<Self, ConfigError> {
        let address = reader.required("DASH_ADDR", address)?;
        let data = reader.required("DASH_DATA", |text| Some(text.to_owned()))?;
        reader.set_data(&data);
        Ok(Self {
            address,
            data: data.into(),
            site: reader.required("DASH_SITE", |text| Some(text.into()))?,
            demo: reader.required("DASH_DEMO", switch)?,
            node: reader.required("DASH_NODE", |text| text.parse().ok())?,
            log: reader.required("DASH_LOG", |text| {
                EnvFilter::try_new(text).is_ok().then(|| text.to_owned())
            })?,
        })
    }
}

fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => Some(([127, 0, 0, 1], port.parse().ok()?).into()),
        None => text.parse().ok(),
    }
}
