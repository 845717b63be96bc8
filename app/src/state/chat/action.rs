//! What the user can do on the Chat page.

use std::path::PathBuf;

use super::conversation::Who;
use super::kept::KeptAction;
use super::sampling::SamplerField;
use super::session::Place;

/// What the user did on the Chat page.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatAction {
    /// Chose a model by what `--model` takes.
    Model(String),
    /// Typed a model's path, not sent yet.
    TypeModel(String),
    /// Took the path that was typed.
    UseTypedModel,
    /// Typed into the search of the list of models.
    SearchModels(String),
    /// Wants the model loaded, again after a failure.
    Load,
    /// Wants the model's weights in the form that this adapter was trained beside.
    LoadFor(PathBuf),
    /// Wants the memory back.
    Free,
    /// Lets another adapter answer as well.
    AddAdapter(Who),
    /// Takes an adapter out.
    RemoveVariant(Who),
    /// Lets a variant answer, or not.
    Switch(Who),
    /// Typed a message, not sent yet.
    Draft(String),
    /// Sent it.
    Send,
    /// Wants no more of the replies that come.
    Stop,
    /// Wants the last question answered anew.
    Regenerate,
    /// Wants to change a question.
    Edit(usize),
    /// Typed in it.
    Edited(String),
    /// Sent it: what follows is dropped.
    Resend,
    /// Leaves it as it was.
    LeaveAsItWas,
    /// Unfolded a reply's reasoning, or folded it.
    Unfold(Place),
    /// Typed instructions that stand above the conversation.
    System(String),
    /// Typed into a field of the sampler.
    Sample(SamplerField, String),
    /// Wants everything drawn as the model recommends.
    AsRecommended,
    /// Opened the drawer with the sampler, or closed it.
    Drawer,
    /// Showed the list of conversations, or hid it.
    List,
    /// In the list of conversations.
    Kept(KeptAction),
    /// Pressed a link that a model wrote.
    Link(String),
}
