//! Takes out of the browser's module what is never called, which the compiler cannot know.

use std::collections::HashMap;

use anyhow::ensure;
use walrus::{ElementItems, FunctionBuilder, FunctionId, FunctionKind, LocalFunction, Module, TypeId, passes::gc};

/// Ends of names of functions that hydrate a page piece by piece: those that begin it, those that go on with it whenever it is polled, and
/// the effects of what it has hydrated.
///
/// Not everything below `hydrate_async`: the compiler keeps functions that are the same only once, under any of their names, so that others
/// may need what is named like this. These are the same as nothing else: the first name the second, and those and the effects name their
/// place in the source, for a panic.
const HYDRATES_ASYNC: [&str; 3] = [
    "::into_any::hydrate_async",
    "::hydrate_async::{{closure}}",
    " for F>::hydrate_async::{{closure}}::{{closure}}",
];

/// Removes what hydrates a page piece by piece, which only `leptos::mount::hydrate_lazy` begins. Dash hydrates at once (`frontend`), but each
/// type-erased view has its way to do it either way, so that it is linked for every view there is.
///
/// What stands in its place traps: were it called after all, no page would listen, and every browser test would fail.
pub fn async_hydration(module: &mut Module) -> anyhow::Result<()> {
    let dead: Vec<(FunctionId, TypeId)> = module
        .funcs
        .iter()
        .filter(|f| matches!(f.kind, FunctionKind::Local(_)))
        .filter(|f| {
            f.name.as_ref().is_some_and(|name| {
                let path = without_hash(name);
                HYDRATES_ASYNC.iter().any(|end| path.ends_with(end))
            })
        })
        .map(|f| (f.id(), f.ty()))
        .collect();
    // Otherwise every visitor would load more, and nobody would notice.
    ensure!(
        !dead.is_empty(),
        "no function is named {HYDRATES_ASYNC:?}: has leptos renamed them?"
    );

    // Pointers to them: to one trap for each type. Thousands of traps are bytes too.
    let mut traps: HashMap<TypeId, FunctionId> = HashMap::new();
    let mut instead: HashMap<FunctionId, FunctionId> = HashMap::new();
    for &(function, ty) in &dead {
        let trap = *traps.entry(ty).or_insert_with(|| {
            let body = trap(module, ty);
            module.funcs.add_local(body)
        });
        instead.insert(function, trap);
    }
    for element in module.elements.iter_mut() {
        if let ElementItems::Functions(functions) = &mut element.items {
            for function in functions {
                *function = instead.get(function).copied().unwrap_or(*function);
            }
        }
    }
    // Calls of them: who still calls is dead as well.
    for (function, ty) in dead {
        module.funcs.get_mut(function).kind = FunctionKind::Local(trap(module, ty));
    }
    gc::run(module);
    Ok(())
}

/// `a::b` of `a::b::h0123456789abcdef`, as wasm-bindgen has written the names.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 => path,
        _ => name,
    }
}

/// A body of this type that stops the module.
fn trap(module: &mut Module, ty: TypeId) -> LocalFunction {
    let (params, results) = module.types.params_results(ty);
    let (params, results) = (params.to_vec(), results.to_vec());
    let arguments = params.iter().map(|&of| module.locals.add(of)).collect();
    let mut trap = FunctionBuilder::new(&mut module.types, &params, &results);
    trap.func_body().unreachable();
    trap.local_func(arguments)
}
