//! Owns the wording of the word problems: templates, names and objects.
//!
//! A template knows its operations, its question, the longer retelling that the base model's
//! traces open with, and the plan. Placeholders: `{A}` and `{B}` names, `{n}` an object,
//! `{x}`, `{y}`, `{z}` the numbers in the order in which they are computed with.

/// One arithmetic operation of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Add,
    Subtract,
}

use Operation::{Add, Subtract};

/// One way to word a problem.
pub struct Template {
    pub operations: &'static [Operation],
    pub question: &'static str,
    pub retelling: &'static str,
    pub plan: &'static str,
}

const fn template(
    operations: &'static [Operation],
    question: &'static str,
    retelling: &'static str,
    plan: &'static str,
) -> Template {
    Template {
        operations,
        question,
        retelling,
        plan,
    }
}

pub const NAMES: [&str; 24] = [
    "Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Iris", "Jack", "Kate",
    "Leo", "Maria", "Noah", "Olga", "Paul", "Rosa", "Sam", "Tina", "Victor", "Wendy", "Yusuf",
    "Zoe", "Omar",
];

pub const OBJECTS: [&str; 24] = [
    "apples", "books", "coins", "stamps", "marbles", "pencils", "cards", "shells", "buttons",
    "stickers", "beads", "bottles", "cookies", "oranges", "candles", "stones", "flowers", "eggs",
    "tickets", "boxes", "bricks", "seeds", "lamps", "cups",
];

pub const TEMPLATES: [Template; 25] = [
    // One step, addition.
    template(
        &[Add],
        "{A} has {x} {n}. {B} gives {A} {y} more. How many {n} does {A} have now?",
        "At first {A} has {x} {n}, and then {B} gives {A} another {y} {n}. I need the number that {A} has now.",
        "A gift makes the number larger, so I add {y} to {x}.",
    ),
    template(
        &[Add],
        "{A} has {x} {n} and {B} has {y} {n}. How many {n} do they have together?",
        "{A} owns {x} {n}, and {B} owns {y} {n}. I need the number that both have together.",
        "Together means a sum, so I add {y} to {x}.",
    ),
    template(
        &[Add],
        "A shop sold {x} {n} on Monday and {y} {n} on Tuesday. How many {n} did it sell in all?",
        "On Monday the shop sold {x} {n}, and on Tuesday it sold {y} {n}. I need the number for both days.",
        "Two days in all means a sum, so I add {y} to {x}.",
    ),
    template(
        &[Add],
        "{A} gave away {y} {n} and still has {x} {n}. How many {n} did {A} have at first?",
        "{A} gave {y} {n} away, and {x} {n} are still there. I need the number that {A} had at first.",
        "What was given away goes back, so I add {y} to {x}.",
    ),
    template(
        &[Add],
        "{A} has {x} {n}. {B} has {y} more than {A}. How many {n} does {B} have?",
        "{A} owns {x} {n}, and {B} owns {y} {n} more than {A}. I need the number that {B} has.",
        "More than {A} means a larger number, so I add {y} to {x}.",
    ),
    // One step, subtraction.
    template(
        &[Subtract],
        "{A} has {x} {n} and gives {y} of them to {B}. How many {n} does {A} have left?",
        "At first {A} has {x} {n}, and then {A} gives {y} {n} to {B}. I need the number that {A} has left.",
        "A gift to {B} makes the number smaller, so I take {y} from {x}.",
    ),
    template(
        &[Subtract],
        "A shop had {x} {n} and sold {y} of them. How many {n} are left in the shop?",
        "At first there were {x} {n} in the shop, and then {y} {n} were sold. I need the number that is left.",
        "A sale makes the number smaller, so I take {y} from {x}.",
    ),
    template(
        &[Subtract],
        "{A} has {x} {n} and {B} has {y} {n}. How many more {n} does {A} have than {B}?",
        "{A} owns {x} {n}, and {B} owns {y} {n}. I need to know how many more {A} has.",
        "How many more means a difference, so I take {y} from {x}.",
    ),
    template(
        &[Subtract],
        "{A} needs {x} {n} and already has {y}. How many {n} does {A} still need?",
        "The goal of {A} is {x} {n}, and {y} {n} are already there. I need the number that is missing.",
        "What is missing is a difference, so I take {y} from {x}.",
    ),
    template(
        &[Subtract],
        "There are {x} {n} in two boxes. The first box holds {y} {n}. How many {n} are in the second box?",
        "Both boxes together hold {x} {n}, and {y} {n} are in the first box. I need the number in the second box.",
        "The rest is in the second box, so I take {y} from {x}.",
    ),
    template(
        &[Subtract],
        "{A} lost {y} of {x} {n} on the way home. How many {n} are left?",
        "At first {A} has {x} {n}, and then {y} {n} are lost on the way. I need the number that is left.",
        "A loss makes the number smaller, so I take {y} from {x}.",
    ),
    // Two steps: both added.
    template(
        &[Add, Add],
        "{A} has {x} {n}, buys {y} more and then finds {z}. How many {n} does {A} have now?",
        "At first {A} has {x} {n}, then {A} buys {y} {n}, and then {A} finds {z} {n}. I need the number that {A} has now.",
        "First I add {y} to {x}, then I add {z}.",
    ),
    template(
        &[Add, Add],
        "A shop sold {x} {n} on Monday, {y} on Tuesday and {z} on Friday. How many {n} did it sell in all?",
        "On Monday the shop sold {x} {n}, on Tuesday {y} {n}, and on Friday {z} {n}. I need the number for all days.",
        "First I add {y} to {x}, then I add {z}.",
    ),
    template(
        &[Add, Add],
        "{A} has {x} {n}. {B} gives {A} {y} on Monday and {z} on Tuesday. How many {n} does {A} have then?",
        "At first {A} has {x} {n}, then {B} gives {A} {y} {n} on Monday and {z} {n} on Tuesday. I need the number that {A} has then.",
        "First I add {y} to {x}, then I add {z}.",
    ),
    // Two steps: added, then taken away.
    template(
        &[Add, Subtract],
        "{A} has {x} {n}, buys {y} more and then gives {z} to {B}. How many {n} does {A} have left?",
        "At first {A} has {x} {n}, then {A} buys {y} {n}, and then {A} gives {z} {n} to {B}. I need the number that {A} has left.",
        "First I add {y} to {x}, then I take away {z}.",
    ),
    template(
        &[Add, Subtract],
        "{A} has {x} {n} and {B} has {y} {n}. Together they sell {z}. How many {n} do they have left?",
        "{A} owns {x} {n}, and {B} owns {y} {n}. Then they sell {z} {n}. I need the number that both have left.",
        "First I add {y} to {x}, then I take away {z}.",
    ),
    template(
        &[Add, Subtract],
        "A shop had {x} {n}. It got {y} more on Monday and sold {z} on Tuesday. How many {n} are left in the shop?",
        "At first there were {x} {n} in the shop, then {y} {n} came on Monday, and {z} {n} were sold on Tuesday. I need the number that is left.",
        "First I add {y} to {x}, then I take away {z}.",
    ),
    template(
        &[Add, Subtract],
        "{A} finds {x} {n}, {B} finds {y}, and they lose {z} on the way home. How many {n} are left?",
        "{A} finds {x} {n}, {B} finds {y} {n}, and then {z} {n} are lost on the way. I need the number that is left.",
        "First I add {y} to {x}, then I take away {z}.",
    ),
    // Two steps: taken away, then added.
    template(
        &[Subtract, Add],
        "{A} has {x} {n}, gives {y} to {B} and then buys {z} more. How many {n} does {A} have now?",
        "At first {A} has {x} {n}, then {A} gives {y} {n} to {B}, and then {A} buys {z} {n}. I need the number that {A} has now.",
        "First I take {y} from {x}, then I add {z}.",
    ),
    template(
        &[Subtract, Add],
        "A shop had {x} {n}. It sold {y} on Monday and got {z} more on Tuesday. How many {n} are in the shop now?",
        "At first there were {x} {n} in the shop, then {y} {n} were sold on Monday, and {z} {n} came on Tuesday. I need the number that is there now.",
        "First I take {y} from {x}, then I add {z}.",
    ),
    template(
        &[Subtract, Add],
        "{A} lost {y} of {x} {n} and then found {z} others. How many {n} does {A} have now?",
        "At first {A} has {x} {n}, then {y} {n} are lost, and then {A} finds {z} {n}. I need the number that {A} has now.",
        "First I take {y} from {x}, then I add {z}.",
    ),
    // Two steps: both taken away.
    template(
        &[Subtract, Subtract],
        "{A} has {x} {n}, gives {y} to {B} and then loses {z}. How many {n} does {A} have left?",
        "At first {A} has {x} {n}, then {A} gives {y} {n} to {B}, and then {A} loses {z} {n}. I need the number that {A} has left.",
        "First I take {y} from {x}, then I take away {z}.",
    ),
    template(
        &[Subtract, Subtract],
        "A shop had {x} {n}. It sold {y} on Monday and {z} on Tuesday. How many {n} are left in the shop?",
        "At first there were {x} {n} in the shop, then {y} {n} were sold on Monday and {z} {n} on Tuesday. I need the number that is left.",
        "First I take {y} from {x}, then I take away {z}.",
    ),
    template(
        &[Subtract, Subtract],
        "{A} needs {x} {n}. {A} has {y} and gets {z} from {B}. How many {n} does {A} still need?",
        "The goal of {A} is {x} {n}. {A} has {y} {n}, and {B} gives {A} {z} {n}. I need the number that is missing.",
        "First I take {y} from {x}, then I take away {z}.",
    ),
    template(
        &[Subtract, Subtract],
        "There are {x} {n} in three boxes. The first holds {y} and the second {z}. How many {n} are in the third box?",
        "All boxes together hold {x} {n}. In the first box are {y} {n}, and in the second {z} {n}. I need the number in the third box.",
        "First I take {y} from {x}, then I take away {z}.",
    ),
];
