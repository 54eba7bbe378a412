//! Packs what is long for the program that brings it: the manuals are a fortieth of it, and a hundredth when packed.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=man");
    let out = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    println!("cargo:rerun-if-changed=src/install");
    let watching = ["alerts.yml", "dashboard.json"].map(|name| Path::new("src/install").join(name));
    let pages = fs::read_dir("man")?.map(|entry| entry.map(|entry| entry.path()));
    for page in pages.chain(watching.map(Ok)) {
        let page = page?;
        let name = page.file_name().ok_or("a page has a name")?;
        let mut packed = Path::new(&out).join(name);
        packed.as_mut_os_string().push(".gz");
        let mut encoder = GzEncoder::new(File::create(packed)?, Compression::best());
        std::io::Write::write_all(&mut encoder, &fs::read(&page)?)?;
        encoder.finish()?;
    }
    Ok(())
}
