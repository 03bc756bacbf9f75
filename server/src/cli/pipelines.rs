//! `server pipelines ...`

use std::{io::Read, path::Path};

use anyhow::{Context, bail};
use dash_db::store::{self, audit::Actor};
use dash_model::{
    DEFAULT_ORGANIZATION,
    pipeline::{CreatedPipeline, PipelineDefinition},
};
use serde_json::json;

use super::{database, organizations, print};
use crate::{catalog, config::Config};

pub async fn create(config: &Config, file: &Path, organization: Option<&str>) -> anyhow::Result<()> {
    let definition = read(file)?;
    let opened = database::open(config).await?;
    let created = make(config, &opened, &definition, organization).await;
    opened.close().await?;
    print(&serde_json::to_string_pretty(&created?)?)
}

async fn make(
    config: &Config,
    opened: &database::Opened,
    definition: &PipelineDefinition,
    organization: Option<&str>,
) -> anyhow::Result<CreatedPipeline> {
    let organization = organizations::named(&mut *opened.db.diesel().await?, organization).await?;
    let (vault, quotas) = (&opened.vault, &config.accounts.quotas);
    Ok(catalog::create(&opened.db, vault, quotas, organization, definition, Actor::operator()).await?)
}

pub async fn list(config: &Config) -> anyhow::Result<()> {
    let opened = database::open(config).await?;
    let pipelines = store::pipelines::list(&mut *opened.db.diesel().await?, DEFAULT_ORGANIZATION).await;
    opened.close().await?;
    let rows: Vec<_> = pipelines?
        .iter()
        .map(|p| json!({"id": p.id, "slug": p.slug, "name": p.name, "source": p.source.kind(), "mapping_version": p.active_version.number}))
        .collect();
    print(&serde_json::to_string_pretty(&rows)?)
}

pub async fn show(config: &Config, pipeline: &str) -> anyhow::Result<()> {
    let opened = database::open(config).await?;
    let found = store::pipelines::get(&mut *opened.db.diesel().await?, DEFAULT_ORGANIZATION, pipeline).await;
    opened.close().await?;
    match found? {
        Some(found) => print(&serde_json::to_string_pretty(&found.definition())?),
        None => bail!("there is no pipeline named {pipeline:?}; `server pipelines list` lists them"),
    }
}

fn read(file: &Path) -> anyhow::Result<PipelineDefinition> {
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin()
            .read_to_string(&mut text)
            .context("standard input cannot be read")?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("--file {} cannot be read", file.display()))?;
    }
    serde_json::from_str(&text).with_context(|| format!("--file {} is no pipeline definition", file.display()))
}
