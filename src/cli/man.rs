//! The man page: made from the command line's definition, with a hand-written
//! end (`assets/man/tail.roff`).

use clap_mangen::Man;

/// The whole page, in roff.
pub(super) fn page(command: &clap::Command) -> String {
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _ = front(command, &mut page);
    let mut page = String::from_utf8_lossy(&page).into_owned();
    for sub in command.get_subcommands() {
        page.push_str(&section(sub));
    }
    page.push_str(include_str!("../../assets/man/tail.roff"));
    page
}

fn front(command: &clap::Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    let man = Man::new(command.clone());
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)
}

/// A command's own section, its parts as subsections.
fn section(command: &clap::Command) -> String {
    let name = command.get_name().to_owned();
    let heading = name.to_uppercase();
    let man = Man::new(command.clone().bin_name(format!("fipscope {name}")).disable_help_flag(true));
    let mut body = Vec::new();
    let _ = man.render_description_section(&mut body).and_then(|()| man.render_synopsis_section(&mut body));
    if command.get_arguments().next().is_some() {
        let _ = man.render_options_section(&mut body);
    }
    let _ = man.render_extra_section(&mut body);
    let body = String::from_utf8_lossy(&body).replace(".SH DESCRIPTION\n", "").replace(".SH ", ".SS ");
    format!(".SH \"COMMAND {heading}\"\n{body}")
}
