//! Tokens into a module. Registers and variables of nested scopes get numbers and names of their
//! own here, so that nothing behind this knows scopes.

use super::lexer::{Token, tokens};
use super::types::{Function, Initial, Instruction, Module, Operand, Space, Type, Variable, Width};
use std::collections::HashMap;

/// Reads the text of a module.
pub fn parse(source: &str) -> Result<Module, String> {
    let tokens = tokens(source)?;
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
    };
    parser.module()
}

#[derive(Clone)]
enum Meaning {
    Register(u32),
    Variable(String),
}

/// The function that is being read, and what names mean at this place.
struct Body {
    function: Function,
    scopes: Vec<HashMap<String, Meaning>>,
}

impl Body {
    fn meaning(&self, name: &str) -> Option<&Meaning> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name))
    }

    fn bind(&mut self, name: &str, meaning: Meaning) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.to_owned(), meaning);
        }
    }

    fn register(&mut self, name: &str, width: Width) {
        let number = self.function.registers.len() as u32;
        self.function.registers.push(width);
        self.bind(name, Meaning::Register(number));
    }

    /// Keeps a variable under a name that nothing else in the function has.
    fn variable(&mut self, mut variable: Variable) -> String {
        let name = variable.name.clone();
        let mut own = name.clone();
        let mut count = 0;
        while self.function.variables.contains_key(&own) {
            count += 1;
            own = format!("{name}#{count}");
        }
        variable.name = own.clone();
        self.bind(&name, Meaning::Variable(own.clone()));
        self.function.declared.push(own.clone());
        self.function.variables.insert(own.clone(), variable);
        own
    }
}

struct Parser<'t, 'a> {
    tokens: &'t [(Token<'a>, u32)],
    at: usize,
}

impl<'a> Parser<'_, 'a> {
    fn peek(&self) -> Option<Token<'a>> {
        self.tokens.get(self.at).map(|&(token, _)| token)
    }

    fn line(&self) -> u32 {
        let last = self.tokens.len().saturating_sub(1);
        self.tokens
            .get(self.at.min(last))
            .map_or(0, |&(_, line)| line)
    }

    fn next(&mut self) -> Result<Token<'a>, String> {
        let token = self.peek().ok_or("the module ends in the middle")?;
        self.at += 1;
        Ok(token)
    }

    fn wrong<T>(&self, expected: &str) -> Result<T, String> {
        Err(format!(
            "line {}: expected {expected}, found {:?}",
            self.line(),
            self.peek()
        ))
    }

    fn takes(&mut self, mark: u8) -> bool {
        let there = self.peek() == Some(Token::Mark(mark));
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, mark: u8) -> Result<(), String> {
        if self.takes(mark) {
            Ok(())
        } else {
            self.wrong(&format!("'{}'", mark as char))
        }
    }

    fn word(&mut self) -> Result<&'a str, String> {
        match self.peek() {
            Some(Token::Word(word)) => {
                self.at += 1;
                Ok(word)
            }
            _ => self.wrong("a word"),
        }
    }

    fn integer(&mut self) -> Result<i64, String> {
        let negative = self.takes(b'-');
        match self.next()? {
            Token::Integer(value) if negative => Ok((value as i64).wrapping_neg()),
            Token::Integer(value) => Ok(value as i64),
            _ => self.wrong("a whole number"),
        }
    }

    fn skip_line(&mut self) {
        let line = self.line();
        while self.at < self.tokens.len() && self.line() == line {
            self.at += 1;
        }
    }

    fn skip_to(&mut self, mark: u8) -> Result<(), String> {
        while self.next()? != Token::Mark(mark) {}
        Ok(())
    }

    fn module(&mut self) -> Result<Module, String> {
        let mut module = Module::default();
        while let Some(token) = self.peek() {
            let Token::Word(word) = token else {
                return self.wrong("a directive");
            };
            match word {
                ".version" => {
                    self.at += 1;
                    module.version = self.version()?;
                }
                ".target" => {
                    self.at += 1;
                    let target = self.word()?;
                    let digits: String = target.chars().filter(char::is_ascii_digit).collect();
                    module.target = digits
                        .parse()
                        .map_err(|_| format!("the target {target} is not known"))?;
                    while self.takes(b',') {
                        self.word()?;
                    }
                }
                ".address_size" => {
                    self.at += 1;
                    if self.integer()? != 64 {
                        return Err("only addresses of 64 bits are known".to_owned());
                    }
                }
                ".file" | ".loc" => self.skip_line(),
                ".pragma" | ".alias" => self.skip_to(b';')?,
                ".section" => {
                    self.skip_to(b'{')?;
                    self.skip_to(b'}')?;
                }
                ".visible" | ".extern" | ".weak" | ".common" => self.at += 1,
                ".entry" | ".func" => {
                    self.at += 1;
                    let function = self.function(word == ".entry")?;
                    // A declaration does not replace a definition.
                    let known = module.functions.get(&function.name);
                    if function.has_body || known.is_none() {
                        module.functions.insert(function.name.clone(), function);
                    }
                }
                ".global" | ".const" | ".shared" => {
                    for variable in self.variables()? {
                        module.variables.push(variable);
                    }
                }
                _ => return self.wrong("a directive that is known"),
            }
        }
        Ok(module)
    }

    fn version(&mut self) -> Result<(u32, u32), String> {
        match self.next()? {
            Token::Float64(bits) => {
                let text = f64::from_bits(bits).to_string();
                let (major, minor) = text.split_once('.').unwrap_or((&text, "0"));
                Ok((major.parse().unwrap_or(0), minor.parse().unwrap_or(0)))
            }
            Token::Integer(major) => Ok((major as u32, 0)),
            _ => self.wrong("a version"),
        }
    }

    /// `.global .align 4 .b8 name[16] = {...};`, and the same with other spaces.
    fn variables(&mut self) -> Result<Vec<Variable>, String> {
        let word = self.word()?;
        let Some(space) = Space::named(&word[1..]) else {
            return self.wrong("a state space");
        };
        let mut found = vec![self.declaration(space)?];
        while self.takes(b',') {
            let mut next = found[0].clone();
            next.name = self.word()?.to_owned();
            found.push(next);
        }
        self.expect(b';')?;
        Ok(found)
    }

    /// What stands between the state space and the end of one declaration.
    fn declaration(&mut self, space: Space) -> Result<Variable, String> {
        let (mut align, mut element, mut lanes) = (0, None, 1);
        let name = loop {
            let word = self.word()?;
            match word {
                ".align" => align = self.integer()? as usize,
                ".v2" => lanes = 2,
                ".v4" => lanes = 4,
                ".attribute" => self.skip_to(b')')?,
                ".ptr" => {
                    // `.ptr .global .align 8` says where a parameter points to, not what it is.
                    while let Some(Token::Word(word)) = self.peek() {
                        if Space::named(word.trim_start_matches('.')).is_some()
                            && word.starts_with('.')
                        {
                            self.at += 1;
                        } else if word == ".align" {
                            self.at += 1;
                            self.integer()?;
                        } else {
                            break;
                        }
                    }
                }
                _ if word.starts_with('.') => match Type::named(&word[1..]) {
                    Some(named) => element = Some(named),
                    None => {
                        return Err(format!(
                            "line {}: the type {word} is not known",
                            self.line()
                        ));
                    }
                },
                _ => break word.to_owned(),
            }
        };
        let Some(element) = element else {
            return self.wrong("a type");
        };
        let (mut count, mut is_open) = (lanes, false);
        while self.takes(b'[') {
            if self.takes(b']') {
                is_open = true;
            } else {
                count *= self.integer()? as usize;
                self.expect(b']')?;
            }
        }
        let mut initial = Vec::new();
        if self.takes(b'=') {
            self.initial(element, &mut initial)?;
        }
        if is_open && !initial.is_empty() {
            count = initial.len();
            is_open = false;
        }
        Ok(Variable {
            name,
            space,
            align: align.max(element.bytes() * lanes),
            bytes: if is_open { 0 } else { count * element.bytes() },
            is_open,
            initial,
        })
    }

    fn initial(&mut self, element: Type, found: &mut Vec<Initial>) -> Result<(), String> {
        if self.takes(b'{') {
            while !self.takes(b'}') {
                self.initial(element, found)?;
                self.takes(b',');
            }
            return Ok(());
        }
        let bytes = element.bytes();
        let number = |value: u64| Initial::Bytes(value.to_le_bytes()[..bytes].to_vec());
        let negative = self.takes(b'-');
        found.push(match self.next()? {
            Token::Integer(value) if negative => number(value.wrapping_neg()),
            Token::Integer(value) => number(value),
            Token::Float32(bits) => number(u64::from(bits)),
            Token::Float64(bits) if element == Type::F32 => {
                number(u64::from((f64::from_bits(bits) as f32).to_bits()))
            }
            Token::Float64(bits) => number(bits),
            Token::Word("generic") => {
                self.expect(b'(')?;
                let name = self.word()?.to_owned();
                self.expect(b')')?;
                Initial::Address(name, self.offset()?)
            }
            Token::Word(name) => Initial::Address(name.to_owned(), self.offset()?),
            _ => return self.wrong("an initial value"),
        });
        Ok(())
    }

    fn offset(&mut self) -> Result<i64, String> {
        if self.takes(b'+') {
            return self.integer();
        }
        if self.peek() == Some(Token::Mark(b'-')) {
            self.integer()
        } else {
            Ok(0)
        }
    }

    fn parameters(&mut self, body: &mut Body) -> Result<Vec<String>, String> {
        let mut names = Vec::new();
        while !self.takes(b')') {
            let word = self.word()?;
            if word == ".reg" {
                return Err(format!(
                    "line {}: parameters in registers are not known",
                    self.line()
                ));
            }
            let variable = self.declaration(Space::Parameter)?;
            names.push(body.variable(variable));
            self.takes(b',');
        }
        Ok(names)
    }

    fn function(&mut self, is_kernel: bool) -> Result<Function, String> {
        let mut body = Body {
            function: Function {
                is_kernel,
                ..Function::default()
            },
            scopes: vec![HashMap::new()],
        };
        if self.takes(b'(') {
            body.function.returns = self.parameters(&mut body)?;
        }
        body.function.name = self.word()?.to_owned();
        if self.takes(b'(') {
            body.function.parameters = self.parameters(&mut body)?;
        }
        loop {
            match self.next()? {
                Token::Mark(b';') => return Ok(body.function),
                Token::Mark(b'{') => break,
                Token::Word(".maxntid" | ".reqntid") => {
                    let mut threads = self.integer()?;
                    while self.takes(b',') {
                        threads *= self.integer()?;
                    }
                    body.function.most_threads = Some(threads as u32);
                }
                _ => {}
            }
        }
        body.function.has_body = true;
        self.statements(&mut body)?;
        Ok(body.function)
    }

    fn statements(&mut self, body: &mut Body) -> Result<(), String> {
        let mut depth = 1;
        while depth > 0 {
            let line = self.line();
            match self.next()? {
                Token::Mark(b'{') => {
                    depth += 1;
                    body.scopes.push(HashMap::new());
                }
                Token::Mark(b'}') => {
                    depth -= 1;
                    body.scopes.pop();
                }
                Token::Mark(b';') => {}
                Token::Mark(b'@') => {
                    let negated = self.takes(b'!');
                    let name = self.word()?;
                    let Some(&Meaning::Register(number)) = body.meaning(name) else {
                        return Err(format!("line {line}: {name} is no predicate"));
                    };
                    let opcode = self.word()?;
                    self.instruction(body, Some((number, negated)), opcode, line)?;
                }
                Token::Word(".reg") => {
                    let kind = self.word()?;
                    self.registers(body, kind)?;
                }
                // `.reg.b32 low;` is one word.
                Token::Word(word) if word.starts_with(".reg.") => {
                    self.registers(body, &word[4..])?
                }
                Token::Word(".local" | ".shared" | ".param" | ".global" | ".const") => {
                    self.at -= 1;
                    for variable in self.variables()? {
                        body.variable(variable);
                    }
                }
                Token::Word(".pragma") => self.skip_to(b';')?,
                Token::Word(".loc" | ".file") => {
                    self.at -= 1;
                    self.skip_line();
                }
                Token::Word(word) => {
                    if self.takes(b':') {
                        self.label(body, word)?;
                    } else {
                        self.instruction(body, None, word, line)?;
                    }
                }
                _ => {
                    self.at -= 1;
                    return self.wrong("a statement");
                }
            }
        }
        Ok(())
    }

    fn label(&mut self, body: &mut Body, name: &str) -> Result<(), String> {
        match self.peek() {
            Some(Token::Word(".branchtargets")) => {
                self.at += 1;
                let mut targets = vec![self.word()?.to_owned()];
                while self.takes(b',') {
                    targets.push(self.word()?.to_owned());
                }
                self.expect(b';')?;
                body.function.branch_tables.insert(name.to_owned(), targets);
            }
            Some(Token::Word(".callprototype" | ".calltargets")) => self.skip_to(b';')?,
            _ => {
                let at = body.function.instructions.len();
                if body.function.labels.insert(name.to_owned(), at).is_some() {
                    return Err(format!(
                        "line {}: the label {name} stands twice",
                        self.line()
                    ));
                }
            }
        }
        Ok(())
    }

    /// `.reg .b32 %r<12>, low;`
    fn registers(&mut self, body: &mut Body, word: &str) -> Result<(), String> {
        let width = match Type::named(word.trim_start_matches('.')) {
            Some(Type::Pred) => Width::Predicate,
            Some(named) if named.bytes() <= 2 => Width::Bits16,
            Some(named) if named.bytes() == 4 => Width::Bits32,
            Some(_) => Width::Bits64,
            None => {
                return Err(format!(
                    "line {}: registers {word} are not known",
                    self.line()
                ));
            }
        };
        loop {
            let name = self.word()?;
            if self.takes(b'<') {
                let count = self.integer()?;
                self.expect(b'>')?;
                for number in 0..count {
                    body.register(&format!("{name}{number}"), width);
                }
            } else {
                body.register(name, width);
            }
            if !self.takes(b',') {
                break;
            }
        }
        self.expect(b';')
    }

    fn instruction(
        &mut self,
        body: &mut Body,
        guard: Option<(u32, bool)>,
        opcode: &str,
        line: u32,
    ) -> Result<(), String> {
        let mut operands = Vec::new();
        while !self.takes(b';') {
            let operand = self.operand(body)?;
            if self.takes(b'|') {
                let second = self.operand(body)?;
                operands.push(Operand::Pair(Box::new(operand), Box::new(second)));
            } else {
                operands.push(operand);
            }
            if !self.takes(b',') {
                self.expect(b';')?;
                break;
            }
        }
        body.function.instructions.push(Instruction {
            guard,
            opcode: opcode.to_owned(),
            operands,
            line,
        });
        Ok(())
    }

    fn operands_until(&mut self, body: &Body, end: u8) -> Result<Vec<Operand>, String> {
        let mut found = Vec::new();
        while !self.takes(end) {
            found.push(self.operand(body)?);
            self.takes(b',');
        }
        Ok(found)
    }

    fn operand(&mut self, body: &Body) -> Result<Operand, String> {
        Ok(match self.next()? {
            Token::Mark(b'{') => Operand::Vector(self.operands_until(body, b'}')?),
            Token::Mark(b'(') => Operand::Arguments(self.operands_until(body, b')')?),
            Token::Mark(b'[') => {
                let inner = self.operand(body)?;
                let offset = self.offset()?;
                self.expect(b']')?;
                match inner {
                    Operand::Register(register) => Operand::AtRegister(register, offset),
                    Operand::Name(name, more) => Operand::AtName(name, offset + more),
                    Operand::Integer(address) => {
                        Operand::AtName(String::new(), offset.wrapping_add(address as i64))
                    }
                    _ => return self.wrong("an address"),
                }
            }
            Token::Mark(b'!') => match self.operand(body)? {
                Operand::Register(register) => Operand::NegatedPredicate(register),
                _ => return self.wrong("a predicate"),
            },
            Token::Mark(b'-') => match self.next()? {
                Token::Integer(value) => Operand::Integer(value.wrapping_neg()),
                Token::Float32(bits) => Operand::Float32(bits ^ (1 << 31)),
                Token::Float64(bits) => Operand::Float64(bits ^ (1 << 63)),
                _ => return self.wrong("a number"),
            },
            Token::Integer(value) => Operand::Integer(value),
            Token::Float32(bits) => Operand::Float32(bits),
            Token::Float64(bits) => Operand::Float64(bits),
            Token::Word("_") => Operand::Discarded,
            Token::Word("WARP_SZ") => Operand::Integer(32),
            Token::Word(word) => match body.meaning(word) {
                Some(&Meaning::Register(number)) => Operand::Register(number),
                Some(Meaning::Variable(name)) => {
                    let name = name.clone();
                    Operand::Name(name, self.offset()?)
                }
                None if word.starts_with('%') => Operand::Special(word.to_owned()),
                None => Operand::Name(word.to_owned(), self.offset()?),
            },
            _ => {
                self.at -= 1;
                return self.wrong("an operand");
            }
        })
    }
}
