//! The site: `pkg/` (dash.js, dash_bg.wasm, dash.css, charts.js), public files and the demo's data.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail, ensure};
use wasm_bindgen_cli_support::Bindgen;

use crate::shed;

/// Builds the site into `out`. Needs cargo with the wasm32 target, and npm.
pub fn build(release: bool, out: &Path) -> anyhow::Result<()> {
    let pkg = out.join("pkg");
    fs::create_dir_all(&pkg)?;
    let wasm = compile(release)?;
    let bound = pkg.join("dash_bg.wasm");
    // A release always anew: what is there may have been built for development.
    if release || !is_newer(&bound, &wasm) {
        bind(&wasm, &pkg, release)?;
    }
    npm(out)?;
    copy_tree(Path::new("public"), out)?;
    let demo = out.join("demo");
    fs::create_dir_all(&demo)?;
    for file in ["earthquakes.json", "flights-200k.json"] {
        copy_if_newer(
            &Path::new("style/node_modules/vega-datasets/data").join(file),
            &demo.join(file),
        )?;
    }
    if release {
        compress(&pkg)?;
    }
    Ok(())
}

/// Compiles `frontend` alone: one call over the workspace would unify its features with the server's.
fn compile(release: bool) -> anyhow::Result<PathBuf> {
    let profile = if release { "wasm-release" } else { "wasm-dev" };
    run(Command::new(env::var_os("CARGO").unwrap_or("cargo".into())).args([
        "build",
        "--package",
        "frontend",
        "--target",
        "wasm32-unknown-unknown",
        "--profile",
        profile,
    ]))?;
    let target = env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    Ok(target
        .join("wasm32-unknown-unknown")
        .join(profile)
        .join("frontend.wasm"))
}

/// Writes dash.js and dash_bg.wasm; a release without the names of its functions.
///
/// No wasm-opt: it makes the module a seventh smaller, but what brotli makes of it a twelfth larger, and that is what is sent. Debian's
/// (version 108) writes one that no browser takes.
fn bind(wasm: &Path, pkg: &Path, release: bool) -> anyhow::Result<()> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(wasm)
        .out_name("dash")
        .typescript(false)
        .remove_name_section(release)
        .remove_producers_section(release)
        .web(true)?;
    let mut output = bindgen.generate_output().context("wasm-bindgen")?;
    // For development as well: so that what is tested is what is released.
    shed::async_hydration(output.wasm_mut())?;
    output.emit(pkg).context("wasm-bindgen")
}

/// Packages from the lock file, then styles and charts.
fn npm(out: &Path) -> anyhow::Result<()> {
    let lock = Path::new("style/package-lock.json");
    if !is_newer(Path::new("style/node_modules/.package-lock.json"), lock) {
        run(npm_in_style().args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]))?;
    }
    let pkg = fs::canonicalize(out.join("pkg"))?;
    for script in ["css", "charts"] {
        run(npm_in_style().args(["run", "--silent", script]).env("OUT", &pkg))?;
    }
    for file in ["dash.css", "charts.js"] {
        ensure!(pkg.join(file).exists(), "`npm run` in style/ did not write {file}");
    }
    Ok(())
}

fn npm_in_style() -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir("style");
    npm
}

/// Writes `.br` beside every file that a page loads, so that the server compresses nothing while it serves.
fn compress(pkg: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(pkg)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "js" || e == "css" || e == "wasm") {
            run(Command::new("brotli").args(["--best", "--force", "--keep"]).arg(&path))
                .context("brotli is needed for a release: apt-get install brotli")?;
        }
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            copy_if_newer(&entry.path(), &target)?;
        }
    }
    Ok(())
}

fn copy_if_newer(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !is_newer(to, from) {
        fs::copy(from, to).with_context(|| format!("copy {} to {}", from.display(), to.display()))?;
    }
    Ok(())
}

/// Whether `made` exists and is not older than `source`.
fn is_newer(made: &Path, source: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|m| m.modified()).ok();
    match (time(made), time(source)) {
        (Some(made), Some(source)) => made >= source,
        _ => false,
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{:?} ended with {status}", command.get_program());
    }
    Ok(())
}
