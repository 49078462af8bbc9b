//! Watches the file of an outbox, to report without polling that it is moved, deleted or replaced.

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use elsewhere::FileWatch;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use inotify::FileWatch;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod inotify {
    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
    use std::io::Result;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    /// A watch on one file, even after it is moved.
    pub(crate) struct FileWatch {
        inotify: OwnedFd,
        number: i32,
    }

    impl FileWatch {
        pub(crate) fn on(path: &Path) -> Result<Self> {
            let inotify = inotify::init(CreateFlags::CLOEXEC)?;
            // Deleting an open file removes a name, which changes its attributes.
            let changes = WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
            let number = inotify::add_watch(&inotify, path, changes)?;
            Ok(Self { inotify, number })
        }

        /// Waits for a change; false once the watch has ended.
        pub(crate) fn wait(&self) -> bool {
            let mut buffer = [const { MaybeUninit::uninit() }; 512];
            let mut reader = Reader::new(&self.inotify, &mut buffer);
            match reader.next() {
                Ok(event) => !event.events().contains(ReadFlags::IGNORED),
                Err(rustix::io::Errno::INTR) => true,
                Err(_) => false,
            }
        }

        pub(crate) fn end(&self) {
            let _ = inotify::remove_watch(&self.inotify, self.number); // It may have ended by itself.
        }
    }
}

/// Other systems have no watch; the dispatcher polls.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod elsewhere {
    use std::io::{Error, ErrorKind, Result};
    use std::path::Path;

    pub(crate) struct FileWatch;

    impl FileWatch {
        pub(crate) fn on(_path: &Path) -> Result<Self> {
            Err(Error::from(ErrorKind::Unsupported))
        }

        pub(crate) fn wait(&self) -> bool {
            false
        }

        pub(crate) fn end(&self) {}
    }
}
