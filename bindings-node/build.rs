//! Links the way Node expects it, and so that the library stays mapped once it is loaded: its
//! threads may outlive a worker thread's environment, which would unload it.

fn main() {
    napi_build::setup();
}
