//! Where things stand on the screen, by its size alone: drawing, paging and the
//! mouse all ask here, so they cannot disagree.

mod traffic;

use ratatui::layout::Rect;

pub(super) use traffic::traffic;

use super::chain::{Chain, rows};
use super::diagram;
use super::proposal::Proposal;
use super::router::{self, RouterView};
use super::state::{Screen, State};
use super::walk::{self, Station, Walking};
use super::words::Mark;
use crate::path::Walk;
use crate::topology::FloatingIp;

/// Below this nothing is drawn but a word about it.
pub(super) const LEAST: (u16, u16) = (16, 3);

/// The parts that every screen has. A part that has no room is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outer {
    /// Where one is, and the counts.
    pub header: Rect,
    /// A reading that failed.
    pub banner: Rect,
    /// The screen itself.
    pub body: Rect,
    /// Keys, or the input line.
    pub footer: Rect,
}

/// The overview's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OverviewParts {
    /// The answer: do the floating IPs work?
    pub answer: Rect,
    /// Column titles.
    pub titles: Rect,
    /// The rows.
    pub list: Rect,
}

/// The chain screen's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChainParts {
    /// Which floating IP.
    pub title: Rect,
    /// The answer: what is wrong with it?
    pub answer: Rect,
    /// The way from left to right; empty where it does not fit.
    pub diagram: Rect,
    /// The two directions, one chosen.
    pub directions: Rect,
    /// The chosen direction, link by link.
    pub list: Rect,
    /// The selected link.
    pub evidence: Rect,
}

/// The walk screen's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WalkParts {
    /// Which packet, its class, the kernel's agreement.
    pub title: Rect,
    /// What becomes of it.
    pub answer: Rect,
    /// The way with the packet on it; empty where it does not fit.
    pub picture: Rect,
    /// The stations in words.
    pub list: Rect,
    /// The station that it has come to.
    pub evidence: Rect,
}

/// The router screen's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RouterParts {
    /// Which router.
    pub title: Rect,
    /// What the node costs the external network.
    pub cost: Rect,
    /// The three classes, drawn; empty where that does not fit.
    pub picture: Rect,
    /// Every way of every class.
    pub list: Rect,
    /// The selected way.
    pub evidence: Rect,
}

/// The findings screen's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FindingsParts {
    /// The answer: how many things are wrong?
    pub answer: Rect,
    /// Root causes, and what follows.
    pub list: Rect,
    /// The selected one.
    pub detail: Rect,
}

/// The parts of a change's screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ProposalParts {
    /// What for.
    pub title: Rect,
    /// How far it is.
    pub answer: Rect,
    /// What to know before.
    pub warnings: Rect,
    /// The steps.
    pub list: Rect,
    /// The selected one.
    pub detail: Rect,
}

/// The parts of the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FormParts {
    /// What for.
    pub title: Rect,
    /// The fields.
    pub fields: Rect,
    /// What helps with the field that is typed into.
    pub hint: Rect,
    /// What the plan says.
    pub verdict: Rect,
    /// What could stand in the field.
    pub offers: Rect,
}

/// The parts of a code's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageParts {
    /// The text; its width is that of the lines.
    pub text: Rect,
}

/// The raw view's parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamespaceParts {
    /// Which namespace.
    pub title: Rect,
    /// The kinds of objects.
    pub tabs: Rect,
    /// The lines.
    pub list: Rect,
}

/// Takes rows from the top, as far as there are any.
fn take(rest: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(rest.height);
    let taken = Rect { height: rows, ..*rest };
    rest.y += rows;
    rest.height -= rows;
    taken
}

/// The parts of the whole terminal.
pub(super) fn outer(state: &State, area: Rect) -> Outer {
    let mut rest = area;
    let header = take(&mut rest, u16::from(area.height >= 4));
    // The journal says itself what has no end.
    let is_left = state.unfinished.is_some() && !matches!(state.above.last(), Some(Screen::Journal(_)));
    let is_still = state.frozen.is_some() || state.coming.is_some() || state.recording.is_some();
    let is_told = state.error.is_some() || state.unwatched.is_some() || is_still || is_left;
    let banner = take(&mut rest, u16::from(is_told && state.node.is_some() && area.height >= 5));
    let footer_rows = u16::from(area.height >= 5 || state.prompt.is_some()).min(rest.height);
    let footer = Rect { y: rest.bottom() - footer_rows, height: footer_rows, ..rest };
    Outer { header, banner, body: Rect { height: rest.height - footer_rows, ..rest }, footer }
}

/// The overview's parts within a body.
pub(super) fn overview(body: Rect) -> OverviewParts {
    let mut rest = body;
    let answer = take(&mut rest, u16::from(body.height >= 5));
    let _blank = take(&mut rest, u16::from(body.height >= 14));
    let titles = take(&mut rest, u16::from(body.height >= 7));
    OverviewParts { answer, titles, list: rest }
}

/// The raw view's parts within a body.
pub(super) fn namespace(body: Rect) -> NamespaceParts {
    let mut rest = body;
    let title = take(&mut rest, u16::from(body.height >= 6));
    let tabs = take(&mut rest, u16::from(body.height >= 3));
    let _blank = take(&mut rest, u16::from(body.height >= 16));
    NamespaceParts { title, tabs, list: rest }
}

/// The findings screen's parts within a body: the list takes what it needs, up
/// to half of it, the selected finding the rest.
pub(super) fn findings(rows: usize, body: Rect) -> FindingsParts {
    let mut rest = body;
    let answer = take(&mut rest, u16::from(body.height >= 5));
    let _blank = take(&mut rest, u16::from(body.height >= 14));
    let listed = u16::try_from(rows).unwrap_or(u16::MAX).max(1);
    let wanted = if rest.height >= 8 { (rest.height / 2).max(rest.height.saturating_sub(listed + 1)) } else { 0 };
    let for_list = rest.height - wanted;
    let list = take(&mut rest, for_list);
    let _blank = take(&mut rest, u16::from(wanted > 0));
    FindingsParts { answer, list, detail: rest }
}

/// The journal's parts within a body: as the findings'.
pub(super) fn journal(rows: usize, body: Rect) -> FindingsParts {
    findings(rows, body)
}

/// The events' parts within a body: the list, and where there is room the whole
/// of the selected line.
pub(super) fn events(body: Rect) -> FindingsParts {
    let mut rest = body;
    let answer = take(&mut rest, u16::from(body.height >= 3));
    let _blank = take(&mut rest, u16::from(body.height >= 14));
    let for_detail = if rest.height >= 10 { 4 } else { 0 };
    let for_list = rest.height - for_detail;
    let list = take(&mut rest, for_list);
    let _blank = take(&mut rest, u16::from(for_detail > 0));
    FindingsParts { answer, list, detail: rest }
}

/// The parts of a change's screen within a body: what to know before takes up
/// to two fifths of it, the selected step what is left.
pub(super) fn proposal(shown: &Proposal, bar: Option<&str>, body: Rect) -> ProposalParts {
    let mut rest = body;
    let title = take(&mut rest, u16::from(body.height >= 4));
    let said = super::view::answer_lines(shown, bar, body.width).len().clamp(1, 4);
    let said = u16::try_from(said).unwrap_or(1);
    let answer = take(&mut rest, if body.height >= 12 { said } else { u16::from(body.height >= 2) });
    let _blank = take(&mut rest, u16::from(body.height >= 20));
    let said = u16::try_from(super::view::notices(shown, body.width).len()).unwrap_or(u16::MAX);
    let warnings = take(&mut rest, said.min(body.height * 2 / 5));
    let _blank = take(&mut rest, u16::from(said > 0 && body.height >= 16));
    let steps = u16::try_from(shown.steps().len()).unwrap_or(u16::MAX);
    let wanted = if rest.height >= 8 { (rest.height / 2).max(rest.height.saturating_sub(steps + 1)) } else { 0 };
    let for_list = steps.min(rest.height - wanted);
    let list = take(&mut rest, for_list);
    let _blank = take(&mut rest, u16::from(wanted > 0));
    ProposalParts { title, answer, warnings, list, detail: rest }
}

/// The form's parts within a body, for so many fields; where they do not fit,
/// those around the one that is typed into are shown.
pub(super) fn form(fields: usize, body: Rect) -> FormParts {
    let mut rest = body;
    let title = take(&mut rest, u16::from(body.height >= 8));
    let _blank = take(&mut rest, u16::from(body.height >= 14));
    let verdict = if body.height >= 12 { 3 } else { 1 };
    let most = rest.height.saturating_sub(verdict + u16::from(body.height >= 9) + u16::from(body.height >= 12));
    let fields = take(&mut rest, u16::try_from(fields).unwrap_or(u16::MAX).min(most));
    let hint = take(&mut rest, u16::from(body.height >= 9));
    let _blank = take(&mut rest, u16::from(body.height >= 12));
    let verdict = take(&mut rest, verdict);
    FormParts { title, fields, hint, verdict, offers: rest }
}

/// The parts of a code's page within a body: a column that reads well.
pub(super) fn code_page(body: Rect) -> PageParts {
    let margin = if body.width >= 40 { 2 } else { 0 };
    let width = body.width.saturating_sub(2 * margin).min(88);
    PageParts { text: Rect { x: body.x + margin, width, ..body } }
}

/// The chain screen's parts within a body. The diagram comes when there is room
/// for it, the list when there is room for both it and the evidence.
pub(super) fn chain(chain: &Chain, fip: &FloatingIp, body: Rect) -> ChainParts {
    let mut rest = body;
    let title = take(&mut rest, u16::from(body.height >= 5));
    let answer = take(&mut rest, u16::from(body.height >= 4));
    let fits = body.width >= 100 && body.height >= 20 && diagram::lay_out(fip, body.width).is_some();
    let _blank = take(&mut rest, u16::from(fits || body.height >= 26));
    let diagram = take(&mut rest, if fits { diagram::HEIGHT } else { 0 });
    let evidence = evidence_rows(chain, fip);
    let listed = chain.place(fip).map_or(0, |(direction, _)| rows(fip.links(direction)).len());
    let listed = u16::try_from(listed).unwrap_or(u16::MAX);
    let show_list = !fits || rest.height >= 6 + evidence.min(8);
    let with_directions = show_list && rest.height >= 4;
    let directions = take(&mut rest, u16::from(with_directions));
    // The diagram shows the way already: then what is wrong with a link may take more.
    let most = if fits { rest.height * 2 / 3 } else { rest.height / 2 };
    let for_evidence = evidence.min(most.max(6)).min(rest.height.saturating_sub(3));
    let for_list = if show_list { listed.min(rest.height - for_evidence) } else { 0 };
    let list = take(&mut rest, for_list);
    let air = rest.height > evidence || rest.height >= 7;
    let _blank = take(&mut rest, u16::from(air));
    ChainParts { title, answer, diagram, directions, list, evidence: rest }
}

/// The walk screen's parts within a body. The picture comes where it fits, the
/// evidence where the list leaves room.
pub(super) fn walk(walking: &Walking, walk: &Walk, stations: &[Station], body: Rect) -> WalkParts {
    let mut rest = body;
    let title = take(&mut rest, u16::from(body.height >= 3));
    let answer = take(&mut rest, u16::from(body.height >= 2));
    let fits = body.height >= 18 && walk::lay_out(walk, stations, walking.leftward(), body.width).is_some();
    let _blank = take(&mut rest, u16::from(fits && body.height >= 26));
    let picture = take(&mut rest, if fits { walk::HEIGHT } else { 0 });
    let _blank = take(&mut rest, u16::from(body.height >= 26));
    let listed = u16::try_from(walk::rows(stations).len()).unwrap_or(u16::MAX);
    let for_evidence =
        if rest.height >= 10 { (rest.height / 3).max(rest.height.saturating_sub(listed + 1)) } else { 0 };
    let for_list = listed.min(rest.height - for_evidence);
    let list = take(&mut rest, for_list);
    let air = rest.height >= 7;
    let _blank = take(&mut rest, u16::from(air));
    WalkParts { title, answer, picture, list, evidence: rest }
}

/// The router screen's parts within a body.
pub(super) fn router(view: &RouterView, body: Rect) -> RouterParts {
    let mut rest = body;
    let title = take(&mut rest, u16::from(body.height >= 4));
    let priced = view.glance.as_ref().map_or(0, |glance| super::view::cost(glance, body.width).len());
    let priced = u16::try_from(priced).unwrap_or(u16::MAX);
    let cost = take(&mut rest, if priced <= body.height / 4 { priced } else { 0 });
    let fits = body.height >= 20 && router::picture(view, body.width).is_some();
    let _blank = take(&mut rest, u16::from(fits));
    let picture = take(&mut rest, if fits { router::HEIGHT } else { 0 });
    let _blank = take(&mut rest, u16::from(body.height >= 16));
    let listed = u16::try_from(view.rows.len()).unwrap_or(u16::MAX);
    let wanted = if rest.height >= 9 { 8.min(rest.height / 2) } else { 0 };
    let for_list = listed.min(rest.height - wanted);
    let list = take(&mut rest, for_list);
    let air = rest.height >= 3;
    let _blank = take(&mut rest, u16::from(air));
    RouterParts { title, cost, picture, list, evidence: rest }
}

/// Rows that the selected link's evidence would like: its name, expected,
/// found, the command, the lines.
fn evidence_rows(chain: &Chain, fip: &FloatingIp) -> u16 {
    let Some((direction, at)) = chain.place(fip) else { return 0 };
    let link = &fip.links(direction)[at];
    // What is found about a link that does not hold: its name, the sentences.
    let finding = if Mark::from(link) < Mark::Ok { 7 } else { 0 };
    let rows =
        2 + finding + usize::from(link.expected.is_some()) + usize::from(link.actual.is_some()) + link.evidence.len();
    u16::try_from(rows).unwrap_or(u16::MAX)
}

/// The rows of the list in sight: a page.
pub(super) fn page(state: &State) -> usize {
    let body = outer(state, state.area()).body;
    let rows = match state.above.last() {
        None => overview(body).list.height,
        Some(Screen::Namespace(_)) => namespace(body).list.height,
        Some(Screen::Router(view)) => router(view, body).list.height,
        Some(Screen::Findings(view)) => findings(view.rows.len(), body).list.height,
        Some(Screen::Page(_)) => code_page(body).text.height,
        Some(Screen::Proposal(shown)) => proposal(shown, state.unchangeable().as_deref(), body).list.height,
        Some(Screen::Journal(view)) => journal(view.rows().len(), body).list.height,
        Some(Screen::Traffic(_)) => traffic(body).list.height,
        Some(Screen::Events(_)) => events(body).list.height,
        Some(Screen::Tracked(view)) => findings(view.rows.len(), body).list.height,
        Some(Screen::Form(shown)) => form(shown.fields().len(), body).offers.height,
        Some(Screen::Flow(_) | Screen::Errand(_)) => body.height.saturating_sub(2),
        Some(Screen::Chain(_) | Screen::Walk(_)) => body.height / 2,
    };
    usize::from(rows)
}

/// The first row shown of a list without an offset of its own: the cursor in
/// the middle, where it can be.
pub(super) fn centred(cursor: usize, height: usize, count: usize) -> usize {
    cursor.saturating_sub(height / 2).min(count.saturating_sub(height))
}

/// A box in the middle, within the area.
pub(super) fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
