//! Lists, searches and pages.

use serde_json::{Value, json};

use super::check::{error, media_type, same, status, without_version};
use super::{Difference, Run};
use crate::fault::Fault;
use crate::listing::{Page, Query, Wanted, kind_of};
use crate::random::Dice;
use crate::request::{Request, Response, Service};
use crate::schema::Kind;
use crate::step::{Asked, Paging, Tags, Who, meant_query};
use crate::wire::{Over, list_target, search_body};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

impl<S: Service> Run<'_, S> {
    /// Every resource that a list is over, in order of creation.
    fn everything(&self, over: Over) -> Vec<Value> {
        let live = match over {
            Over::One(kind) => self.state.live(kind),
            Over::All(_) => self.state.everybody(),
        };
        live.into_iter()
            .map(|resource| self.state.shown(resource))
            .collect()
    }

    pub(super) fn list(
        &mut self,
        dice: &mut Dice,
        over: Over,
        query: &Query,
        asked: Asked,
    ) -> Result<(), Difference> {
        let query = meant_query(&self.state, query);
        let request = match asked {
            Asked::Get => Request::of("GET", list_target(dice, over, &query, Vec::new())),
            Asked::Search => {
                let body = search_body(dice, over, &query);
                Request::of("POST", format!("{}/.search", over.endpoint())).with_body(&body)
            }
        };
        let response = self.send(&request);
        if let Some(fault) = fault_of(&query) {
            return error(&response, &[fault.answer()]);
        }
        let page = query.page(self.everything(over));
        check_page(&response, &page)
    }

    /// Everything of a kind, in order of creation.
    pub(super) fn list_all(&mut self, kind: Kind) -> Result<(), Difference> {
        let query = Query {
            count: Some(200),
            ..Query::default()
        };
        self.list(&mut Dice::new(0), Over::One(kind), &query, Asked::Get)
    }

    /// Pages of the size that is asked for, to the last, together show each resource once.
    pub(super) fn pages(
        &mut self,
        dice: &mut Dice,
        kind: Kind,
        query: &Query,
        paging: Paging,
    ) -> Result<(), Difference> {
        let over = Over::One(kind);
        let mut query = meant_query(&self.state, query);
        query.start_index = None;
        let size = query.count.unwrap_or(1).max(1);
        query.count = Some(size);
        let mut wanted = query.select(self.everything(over));
        let mut pages: Vec<Vec<Value>> = Vec::new();
        let mut cursor = String::new();
        let mut is_lost = false;
        // One page more than there can be: a service that never ends is found out.
        for number in 0..wanted.len() + 2 {
            let index = 1 + pages.iter().map(Vec::len).sum::<usize>();
            let more = match paging {
                Paging::Index => ("startIndex", index.to_string()),
                Paging::Cursor | Paging::Disturbed(_) => ("cursor", cursor.clone()),
            };
            // The query must be the same for each page: so is its spelling.
            let target = list_target(&mut dice.clone(), over, &query, vec![more]);
            let response = self.send(&Request::of("GET", target));
            if let Some(fault) = fault_of(&query) {
                return error(&response, &[fault.answer()]);
            }
            if is_lost {
                return error(&response, &[Fault::ExpiredCursor.answer()]);
            }
            let total = query.select(self.everything(over)).len();
            let body = check_list(&response, total)?;
            check_cursors(paging, number, &body)?;
            let shown = body["Resources"].as_array().cloned().unwrap_or_default();
            if i64::try_from(shown.len()).unwrap_or(i64::MAX) > size {
                return Err(format!("a page holds more than {size}"));
            }
            let is_empty = shown.is_empty();
            pages.push(shown.iter().map(without_version).collect());
            let next = body["nextCursor"].as_str();
            let is_over = match paging {
                Paging::Index => index + shown.len() > wanted.len() || is_empty,
                Paging::Cursor | Paging::Disturbed(_) => next.is_none(),
            };
            if is_over {
                check_pages(&query, &pages, &wanted)?;
                return self.one_page_back(dice, over, &query, &pages, &body);
            }
            cursor = next.unwrap_or_default().to_owned();
            if let (Paging::Disturbed(at), 0) = (paging, number) {
                let id = Who::Live(at).id(&self.state, kind);
                self.delete(kind, &id, &Tags::Absent)?;
                // A place in an order is marked by the resource before it.
                let mark = shown.last().is_some_and(|last| last["id"] == id.as_str());
                is_lost = mark && query.sort.is_some();
                let was_shown = wanted
                    .iter()
                    .take(shown.len())
                    .any(|one| one["id"] == id.as_str());
                wanted.retain(|one| was_shown || one["id"] != id.as_str());
            }
        }
        Err("the pages never end".to_owned())
    }

    /// From the last page, its cursor leads back to the one before.
    fn one_page_back(
        &mut self,
        dice: &Dice,
        over: Over,
        query: &Query,
        pages: &[Vec<Value>],
        last: &Value,
    ) -> Result<(), Difference> {
        let ([.., before, _], Some(cursor)) = (pages, last["previousCursor"].as_str()) else {
            return Ok(());
        };
        let live = self.everything(over);
        let is_live = |shown: &Value| live.iter().any(|one| one["id"] == shown["id"]);
        if !before.iter().all(is_live) {
            return Ok(());
        }
        let more = vec![("cursor", cursor.to_owned())];
        let target = list_target(&mut dice.clone(), over, query, more);
        let response = self.send(&Request::of("GET", target));
        let body = check_list(&response, query.select(live).len())?;
        let found: Vec<Value> = body["Resources"]
            .as_array()
            .into_iter()
            .flatten()
            .map(without_version)
            .collect();
        same("the page before the last", &json!(found), &json!(before))
    }
}

fn check_pages(query: &Query, pages: &[Vec<Value>], wanted: &[Value]) -> Result<(), Difference> {
    let cut = |one: &Value| without_version(&query.shown.cut(kind_of(one), one));
    let wanted: Vec<Value> = wanted.iter().map(cut).collect();
    same("all pages together", &json!(pages.concat()), &json!(wanted))
}

/// RFC 9865 section 2: cursors only where cursors are asked for, none back from the first page.
fn check_cursors(paging: Paging, page: usize, body: &Value) -> Result<(), Difference> {
    let unreserved = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b))
    };
    let right = |name: &str| {
        body[name]
            .as_str()
            .is_none_or(|text| !text.is_empty() && unreserved(text))
    };
    if !right("nextCursor") || !right("previousCursor") {
        return Err("a cursor consists of unreserved characters".to_owned());
    }
    let forbidden = match paging {
        Paging::Index => body
            .get("nextCursor")
            .or_else(|| body.get("previousCursor")),
        Paging::Cursor | Paging::Disturbed(_) if page == 0 => body.get("previousCursor"),
        Paging::Cursor | Paging::Disturbed(_) => None,
    };
    match forbidden {
        Some(_) => Err("there is a cursor where none is to be".to_owned()),
        None => Ok(()),
    }
}

fn fault_of(query: &Query) -> Option<Fault> {
    matches!(query.filter, Some(Wanted::Broken(_))).then_some(Fault::Filter)
}

/// The envelope of a list; it returns the body.
fn check_list(response: &Response, total: usize) -> Result<Value, Difference> {
    status(response, 200)?;
    media_type(response)?;
    let body = response.json();
    same("schemas", &body["schemas"], &json!([LIST]))?;
    same("totalResults", &body["totalResults"], &json!(total))?;
    let shown = body["Resources"]
        .as_array()
        .ok_or("Resources is always there")?;
    same("itemsPerPage", &body["itemsPerPage"], &json!(shown.len()))?;
    Ok(body)
}

fn check_page(response: &Response, page: &Page) -> Result<(), Difference> {
    let body = check_list(response, page.total)?;
    same("startIndex", &body["startIndex"], &json!(page.start_index))?;
    let found: Vec<Value> = body["Resources"]
        .as_array()
        .into_iter()
        .flatten()
        .map(without_version)
        .collect();
    let wanted: Vec<Value> = page.resources.iter().map(without_version).collect();
    same("Resources", &json!(found), &json!(wanted))
}
