//! A plan under way: which commands are due, and what became of those that were carried out.
//!
//! A command is known by what it asks, so the same question is asked once per document however often its field
//! stands there; what changes something is known by its place and done in the document's order, each with all that
//! is read below it before the next. Children wait for their parents, whose records fill what their arguments lack.

use std::cell::Cell;

use super::document::{Failure, OperationType};
use super::plan::{self, Arguments, Meaning, Node, Plan};
use super::schema::{Base, FieldRef, TypeRef};
use super::spelling::Spelling;
use super::{Budget, Entry, Origin, Service, Variables, values};
use crate::dialect::exchange::{Dialect, FaultForm};
use crate::dialect::tape::Tape;
use crate::dialect::template::Scope;
use crate::model::record::{Slot as _, Value};
use crate::model::{App, Arrival, Command, Done, Effect, Fault, Outcome, Reply};

/// A root shows no record.
static NOTHING: Done = Done {};

pub struct Run<'s> {
    pub dialect: &'s Dialect,
    pub service: &'s Service,
    pub plan: &'s Plan,
    pub arrival: &'s Arrival,
    pub app: &'s App,
    pub budget: &'s Budget,
    /// Arguments that hold variables, by the node's number.
    open: Vec<(usize, Tape<'static>)>,
    settled: Vec<Settled>,
    halted: Option<(Fault, Option<usize>)>,
    /// The settled command that was asked for last: neighbours mostly ask for the same.
    last: Cell<usize>,
}

/// A command that is due.
#[derive(Clone, Debug)]
pub struct Call {
    pub command: Box<Command>,
    entry: usize,
    node: usize,
}

struct Settled {
    call: Call,
    outcome: Outcome,
}

/// Why variables cannot be filled in.
enum Unbound {
    Large(super::Pos),
    Wrong(Vec<super::Error>),
}

/// A field's command: what became of it, or that it is due.
pub(super) enum Lookup<'r> {
    Settled(&'r Command, &'r Outcome),
    Due(Box<Command>),
}

impl<'s> Run<'s> {
    /// Begins a plan with the values of its variables.
    ///
    /// # Errors
    /// The values are not what the document says of them.
    pub fn new(
        dialect: &'s Dialect,
        service: &'s Service,
        plan: &'s Plan,
        given: &Variables,
        (arrival, app): (&'s Arrival, &'s App),
        budget: &'s Budget,
    ) -> Result<Run<'s>, Failure> {
        let explained = |failure| plan.explain(&service.schema, given).unwrap_or(failure);
        let variables = plan.variables(given).map_err(explained)?;
        let mut run = Run {
            dialect,
            service,
            plan,
            arrival,
            app,
            budget,
            open: Vec::new(),
            settled: Vec::new(),
            halted: None,
            last: Cell::new(0),
        };
        for node in plan.roots.iter().filter(|_| plan.open) {
            run.bind(node, &variables).map_err(|error| match error {
                Unbound::Large(at) => {
                    Failure::one("The document repeats too much of its variables", at)
                }
                Unbound::Wrong(errors) => explained(Failure::Errors(errors)),
            })?;
        }
        run.open.sort_unstable_by_key(|(id, _)| *id);
        Ok(run)
    }

    fn bind(&mut self, node: &Node, variables: &Variables) -> Result<(), Unbound> {
        let schema = &self.service.schema;
        if let Arguments::Open(given) = &node.arguments
            && let Some(definition) = schema.definition(node.of, node.field)
        {
            let weight = given
                .iter()
                .map(|given| variables.weight(&given.value))
                .sum();
            if !self.budget.fill(weight) {
                return Err(Unbound::Large(node.at));
            }
            let value = |index, of: &TypeRef| match given.iter().find(|one| one.index == index) {
                Some(given) => values::argument(schema, (&given.name, &given.value), of, variables)
                    .map_err(|message| super::Error::new(message, given.at)),
                None => Ok(None),
            };
            let tree = plan::tree(schema, definition, node.at, value).map_err(Unbound::Wrong)?;
            self.open.push((node.id, tree.into_tape()));
        }
        for child in node.children.iter().flat_map(|(_, nodes)| nodes) {
            self.bind(child, variables)?;
        }
        Ok(())
    }

    pub(super) fn arguments(&self, node: &'s Node) -> Option<&Tape<'static>> {
        match &node.arguments {
            Arguments::None => None,
            Arguments::Ready(tape) => Some(tape),
            Arguments::Open(_) => {
                let at = self.open.binary_search_by_key(&node.id, |(id, _)| *id);
                at.ok().map(|at| &self.open[at].1)
            }
        }
    }

    /// The commands that can be carried out now, and are to be; none when all are done.
    pub fn ready(&self) -> Vec<Call> {
        let mut due = Vec::new();
        if self.halted.is_some() {
            return due;
        }
        for at in &self.plan.order {
            self.gather(&self.plan.roots[*at], &self.root(), &mut due);
            // Changes are made one after another, each seen through before the next.
            if self.plan.operation == OperationType::Mutation && !due.is_empty() {
                break;
            }
        }
        self.budget.call(due.len());
        due
    }

    /// What became of a command.
    pub fn settle(&mut self, call: Call, mut outcome: Outcome) {
        match &mut outcome {
            Ok(reply) => {
                self.dialect.turn(Some(&call.command), reply);
                self.complete(reply);
            }
            Err(fault) => {
                let entry = &self.service.entries[call.entry];
                self.dialect.name_field(fault, entry);
                let done = self.settled.iter().any(|settled| {
                    settled.outcome.is_ok()
                        && settled.call.command.operation().effect() == Effect::Write
                });
                // A fault that is the whole answer must not hide what has been done already.
                let evident = self.form(fault, entry).is_some_and(|form| form.evident);
                if !evident && !done {
                    self.halted = Some((fault.clone(), Some(call.entry)));
                }
            }
        }
        self.settled.push(Settled { call, outcome });
    }

    /// Channels elsewhere may lack what this dialect's always have, such as an owner.
    fn complete(&self, reply: &mut Reply) {
        let channels = match reply {
            Reply::OneChannel(one) => std::slice::from_mut(&mut *one.channel),
            Reply::Channels(list) => &mut list.channels[..],
            _ => return,
        };
        for channel in channels {
            for (empty, full) in &self.service.channel {
                if !channel.get(&empty.path).is_absent() {
                    continue;
                }
                let text = match channel.get(&full.path) {
                    Value::Text(text) => crate::model::Text::from(text),
                    _ => continue,
                };
                // Both are texts, or the loader would not have taken them.
                let _ = channel.set(&empty.path, Value::Text(&text));
            }
        }
    }

    /// The fault that is the whole answer, with the operation that met it.
    pub fn halted(&self) -> Option<(Fault, crate::model::Operation)> {
        let (fault, entry) = self.halted.as_ref()?;
        let entry = &self.service.entries[(*entry)?];
        Some((fault.clone(), entry.operation))
    }

    pub(super) fn form(&self, fault: &Fault, entry: &Entry) -> Option<&'s FaultForm> {
        self.dialect.fault_form(
            fault.kind,
            Some(entry.operation),
            &fault.details.field,
            self.service.door,
        )
    }

    /// What became of a field's command, or the command while that is due.
    pub(super) fn found(
        &self,
        node: &'s Node,
        (entry, filled): (usize, bool),
        scope: &Scope<'_>,
    ) -> Result<Lookup<'_>, Fault> {
        // What is come to once has asked under its own number, unless another asked the same before.
        let mut settled = self.settled.iter();
        if node.single
            && let Some(own) = settled.find(|settled| settled.call.node == node.id)
        {
            return Ok(Lookup::Settled(&own.call.command, &own.outcome));
        }
        let parent = filled.then_some(scope);
        let command = self.command(node, &self.service.entries[entry], parent)?;
        let write = command.operation().effect() == Effect::Write;
        let asked = |settled: &&Settled| {
            settled.call.entry == entry
                && if write {
                    settled.call.node == node.id
                } else {
                    settled.call.command == command
                }
        };
        let found = self.settled.get(self.last.get()).filter(asked);
        let found = found.or_else(|| {
            let at = self.settled.iter().position(|settled| asked(&settled))?;
            self.last.set(at);
            self.settled.get(at)
        });
        Ok(match found {
            Some(found) => Lookup::Settled(&found.call.command, &found.outcome),
            None => Lookup::Due(command),
        })
    }

    fn gather(&self, node: &'s Node, scope: &Scope<'_>, due: &mut Vec<Call>) {
        if !(node.is_command() || node.below) || !self.budget.steps(1) {
            return;
        }
        match node.means {
            Meaning::Command {
                entry,
                reply: spelling,
                filled,
            } if self.budget.look_up() => match self.found(node, (entry, filled), scope) {
                Ok(Lookup::Settled(asked, Ok(reply))) if node.below => {
                    self.gather_spelt(spelling, &self.scope(reply, asked), node, due);
                }
                Ok(Lookup::Due(command)) => self.due(command, entry, node, due),
                // Nothing is below it, or a fault is all that it comes to.
                Ok(Lookup::Settled(..)) | Err(_) => {}
            },
            Meaning::Spelt(spelling) => self.gather_spelt(spelling, scope, node, due),
            _ => {}
        }
    }

    fn due(&self, command: Box<Command>, entry: usize, node: &Node, due: &mut Vec<Call>) {
        let read = command.operation().effect() == Effect::Read;
        let known = due.iter().any(|call| {
            call.entry == entry && call.command == command && (read || call.node == node.id)
        });
        if !known && due.len() < self.budget.calls() {
            // Mostly it is the only one.
            due.reserve_exact(usize::from(due.is_empty()));
            due.push(Call {
                command,
                entry,
                node: node.id,
            });
        }
    }

    fn gather_spelt(&self, at: usize, scope: &Scope<'_>, node: &'s Node, due: &mut Vec<Call>) {
        let scope = match self.service.spellings.get(at) {
            Spelling::List { of, item, .. } => {
                if let Value::List(elements) = scope.value(of) {
                    let mut scope = *scope;
                    for index in 0..elements.len() {
                        scope.item = Some(elements.at(index));
                        self.gather_spelt(*item, &scope, node, due);
                    }
                }
                return;
            }
            Spelling::Record(placeholder) => match scope.filled(placeholder) {
                Value::Record(record) => &scope.of(record),
                _ => return,
            },
            Spelling::Object(_) => scope,
            Spelling::Nothing | Spelling::Always(_) | Spelling::Leaf(_) => return,
        };
        for child in node.fields().into_iter().flatten() {
            self.gather(child, scope, due);
        }
    }

    pub(super) fn scope<'a>(&'a self, reply: &'a Reply, command: &'a Command) -> Scope<'a> {
        Scope {
            request: Some(command.slot()),
            ..Scope::new(reply.slot(), self.arrival, self.app)
        }
    }

    /// Where the fields of the plan's roots are looked up.
    pub(super) fn root(&self) -> Scope<'s> {
        Scope::new(&NOTHING, self.arrival, self.app)
    }

    /// Is a field's value one thing, or none?
    pub(super) fn one_or_none(&self, node: &Node) -> bool {
        let definition = self.service.schema.definition(node.of, node.field);
        definition.is_some_and(|field| field.of.nullable && matches!(field.of.base, Base::Named(_)))
    }

    /// What the mapping says of a field.
    pub(super) fn origin(&self, node: &Node) -> Option<&'s Origin> {
        let FieldRef::Own(at) = node.field else {
            return None;
        };
        self.service.types.get(node.of)?.fields.get(at)
    }
}
