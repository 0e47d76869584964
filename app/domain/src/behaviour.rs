//! Behaviours: what a user did, and the kinds of doing.

use serde::{Deserialize, Serialize};

/// What a user did with an item, or that they searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum BehaviourKind {
    /// Typed a query.
    Search,
    /// Saw or clicked; not reliable feedback.
    View,
    /// Read the detail page.
    DetailView,
    /// Read reviews or asked about them.
    ReviewRead,
    /// Marked as a favourite.
    Favourite,
    /// Put in the cart.
    Cart,
    /// Bought.
    Purchase,
}

impl BehaviourKind {
    /// Every kind, weakest first.
    pub const ALL: [Self; 7] = [
        Self::Search,
        Self::View,
        Self::DetailView,
        Self::ReviewRead,
        Self::Favourite,
        Self::Cart,
        Self::Purchase,
    ];

    /// The word in files, JSON and the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::View => "view",
            Self::DetailView => "detail_view",
            Self::ReviewRead => "review_read",
            Self::Favourite => "favourite",
            Self::Cart => "cart",
            Self::Purchase => "purchase",
        }
    }

    /// Reads the word, and the common words of other logs (`pv`, `fav`, `buy`, `click`, …).
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            "search" | "query" => Self::Search,
            "view" | "pv" | "click" | "impression" => Self::View,
            "detail_view" | "detail" | "detailed_view" => Self::DetailView,
            "review_read" | "review" => Self::ReviewRead,
            "favourite" | "favorite" | "fav" | "like" | "wishlist" => Self::Favourite,
            "cart" | "add_to_cart" | "addtocart" => Self::Cart,
            "purchase" | "buy" | "order" | "transaction" => Self::Purchase,
            _ => return None,
        })
    }

    /// Whether the paper keeps this kind (§2: intentional feedback and searches; plain clicks are dropped).
    #[must_use]
    pub fn is_reliable(self) -> bool {
        self != Self::View
    }
}

/// One event with the names a person needs, as the compression reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Behaviour {
    /// Row id: evidence points here.
    pub id: i64,
    /// What the user did.
    pub kind: BehaviourKind,
    /// When; `None` where the log has no times.
    pub at: Option<jiff::Timestamp>,
    /// Place in the user's sequence where the log has an order but no times.
    pub position: Option<i32>,
    /// The query of a search.
    pub query: Option<String>,
    /// The item of everything else.
    pub item: Option<ItemEssentials>,
}

/// An item reduced to what a judge of interests needs (paper §2: item-level compression).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemEssentials {
    /// Row id.
    pub id: i64,
    /// The importer's key.
    pub key: String,
    /// Title; `None` for an item only known from behaviours.
    pub title: Option<String>,
    /// Category path, outermost first; empty if unknown.
    pub category: Vec<String>,
    /// Brand.
    pub brand: Option<String>,
    /// Key attributes, in the catalogue's order.
    pub attributes: Vec<(String, String)>,
    /// Price in the catalogue's currency.
    pub price: Option<f64>,
}

/// A person in the logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Row id.
    pub id: i64,
    /// The importer's key.
    pub key: String,
    /// Profile line: attribute and value, in the importer's order.
    pub profile: Vec<(String, String)>,
}
