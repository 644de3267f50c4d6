# swbpf. `make` alone says what there is.

PREFIX ?= /usr/local
DESTDIR ?=
CAPTURE_GROUP ?=
FILTER ?=
FUZZ ?=
SECONDS ?= 20
ROUNDS ?= 1000000
MINUTES ?= 10
BENCH ?=
ARGS ?=

SWIFT ?= swift
BINARY = .build/release/swbpf
BINDIR = $(DESTDIR)$(PREFIX)/bin
MANDIR = $(DESTDIR)$(PREFIX)/share/man/man1
BASHDIR = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSHDIR = $(DESTDIR)$(PREFIX)/share/zsh/site-functions
FISHDIR = $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
UNITDIR = $(DESTDIR)$(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(DESTDIR)$(PREFIX)/lib/sysusers.d
# The shared library for C programs; the name in front of .so is SwiftPM's.
CONFIGURATION = release
LIBRARY = .build-library/$(CONFIGURATION)/libSwBPFDevice.so
LIBRARY_FILES = Sources/CSwBPF
INCLUDEDIR = $(DESTDIR)$(PREFIX)/include
LIBDIR = $(DESTDIR)$(PREFIX)/lib
VERSION = $(shell sed -n 's/.*static let version = "\(.*\)"/\1/p' Sources/Commands/HelpText.swift)
SOURCES = $(wildcard Package.swift Sources Tests Fuzz Benchmarks)
# A plain user builds as himself; only the finished command runs as root.
SUDO = $(if $(filter 0,$(shell id -u)),,$(shell command -v sudo))

export SWIFT

.PHONY: help run build library install install-command install-library uninstall test test-arm64 conformance explore verify \
  tsan asan fuzz fuzz-filter check-hot-path bench corpus format lint clean

help:
	@echo 'make run ARGS="-i eth0 tcp"          build, then run the command (through sudo unless root)'
	@echo 'make build                           leave the command at $(BINARY)'
	@echo 'make library                         the shared library for C programs'
	@echo 'make install [PREFIX=$(PREFIX)] [DESTDIR=] [CAPTURE_GROUP=swbpf]'
	@echo '                                     after make build: the command, its manual page, completions, unit; after'
	@echo '                                     make library also the library, its header, its pkg-config file'
	@echo 'make uninstall                       the same PREFIX and DESTDIR'
	@echo 'make test [FILTER=regex]             all tests in a private network namespace'
	@echo 'make conformance                     what bpf(4) and tunnels must do, statement by statement: pass, FAIL or not applicable'
	@echo 'make test-arm64                      machine code for arm64, under qemu'
	@echo 'make explore                         attach, detach, tap and their kind in every order of two and three threads'
	@echo 'make tsan, make asan [FILTER=regex]  the tests under ThreadSanitizer, AddressSanitizer'
	@echo 'make verify [MINUTES=10]             explorations; attach and detach under fire, so long under each of the sanitizers'
	@echo 'make fuzz [FUZZ=name] [SECONDS=20]   one fuzz target, or all'
	@echo 'make fuzz-filter [ROUNDS=1000000]    random programs: interpreter, machine code, libpcap, kernel'
	@echo 'make check-hot-path                  no reference counting and no allocation per frame'
	@echo 'make bench [BENCH=name]              measurements'
	@echo 'make corpus                          the packets that printing is tested with, and the text of tcpdump 4.99.3'
	@echo 'make format, make lint, make clean'

run:
	@Scripts/install-missing run
	@$(MAKE) --no-print-directory build
	$(SUDO) $(BINARY) $(ARGS)

build:
	$(SWIFT) build -c release --product swbpf --static-swift-stdlib

# In a folder of its own, so that neither build throws away what the other has made.
library:
	SWBPF_LIBRARY=1 $(SWIFT) build -c $(CONFIGURATION) --product SwBPFDevice --scratch-path .build-library \
	  --disable-automatic-resolution --disable-local-rpath -Xswiftc -static-stdlib -Xlinker -soname=libswbpf.so.0 \
	  -Xlinker --version-script=$(CURDIR)/$(LIBRARY_FILES)/libswbpf.map

# The library too, where make library has made it.
install: install-command $(if $(wildcard $(LIBRARY)),install-library)

install-command:
	@test -x $(BINARY) || { echo 'make install: no $(BINARY) yet: run make build first (not as root)' >&2; exit 1; }
	install -d $(BINDIR) $(MANDIR) $(BASHDIR) $(ZSHDIR) $(FISHDIR)
	install -m 0644 man/swbpf.1 $(MANDIR)/swbpf.1
	$(BINARY) completion bash >$(BASHDIR)/swbpf
	$(BINARY) completion zsh >$(ZSHDIR)/_swbpf
	$(BINARY) completion fish >$(FISHDIR)/swbpf.fish
	chmod 0644 $(BASHDIR)/swbpf $(ZSHDIR)/_swbpf $(FISHDIR)/swbpf.fish
	install -d $(UNITDIR) $(SYSUSERSDIR)
	sed -e 's|@PREFIX@|$(PREFIX)|' systemd/swbpf@.service.in >$(UNITDIR)/swbpf@.service
	install -m 0644 systemd/sysusers.conf $(SYSUSERSDIR)/swbpf.conf
	chmod 0644 $(UNITDIR)/swbpf@.service
ifeq ($(CAPTURE_GROUP),)
	install -m 0755 $(BINARY) $(BINDIR)/swbpf
else
	@getent group '$(CAPTURE_GROUP)' >/dev/null || \
	  { echo 'make install: no group $(CAPTURE_GROUP): make it with groupadd --system $(CAPTURE_GROUP)' >&2; exit 1; }
	install -o root -g '$(CAPTURE_GROUP)' -m 0750 $(BINARY) $(BINDIR)/swbpf
	PATH="$$PATH:/usr/sbin:/sbin" setcap cap_net_raw=ep $(BINDIR)/swbpf
endif

install-library:
	@test -e $(LIBRARY) || { echo 'make install: no library yet: run make library first (not as root)' >&2; exit 1; }
	install -d $(LIBDIR)/pkgconfig $(INCLUDEDIR)
	install -s -m 0755 $(LIBRARY) $(LIBDIR)/libswbpf.so.0
	ln -sf libswbpf.so.0 $(LIBDIR)/libswbpf.so
	install -m 0644 $(LIBRARY_FILES)/include/swbpf.h $(INCLUDEDIR)/swbpf.h
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@VERSION@|$(VERSION)|' $(LIBRARY_FILES)/swbpf.pc.in > $(LIBDIR)/pkgconfig/swbpf.pc
	@test -n '$(DESTDIR)' || PATH="$$PATH:/usr/sbin:/sbin" ldconfig 2>/dev/null || true

uninstall:
	rm -f $(BINDIR)/swbpf $(MANDIR)/swbpf.1 $(BASHDIR)/swbpf $(ZSHDIR)/_swbpf $(FISHDIR)/swbpf.fish \
	  $(UNITDIR)/swbpf@.service $(SYSUSERSDIR)/swbpf.conf $(LIBDIR)/libswbpf.so $(LIBDIR)/libswbpf.so.0 $(LIBDIR)/pkgconfig/swbpf.pc $(INCLUDEDIR)/swbpf.h

test:
	@Scripts/install-missing test
	@Scripts/test $(if $(FILTER),--filter '$(FILTER)')

conformance:
	@Scripts/install-missing test
	@Scripts/conformance

# Skipped by name where qemu or the cross compiler is missing.
test-arm64:
	@Scripts/install-missing arm64 || :
	@SWBPF_ARM64=1 Scripts/test --filter Arm64Tests

explore:
	@Scripts/install-missing run
	@Scripts/explore

tsan:
	@Scripts/install-missing test
	@Scripts/test --sanitize=thread --scratch-path .build-tsan --filter '$(or $(FILTER),KernTests|TunnelsTests|PFKeyTests|ESPTests|BPFTests|LiveCaptureTests|SwBPFTests|StressTests|DaemonTests|DaemonClientTests|DaemonCommandTests|DaemonConnectionTests|IfconfigGifTests)'

asan:
	@Scripts/install-missing test
	@Scripts/test --sanitize=address --scratch-path .build-asan $(if $(FILTER),--filter '$(FILTER)')

# The core of swbpf stress, with every operation, another seed each time, which is printed; STRESS_SEED=n repeats one.
verify: explore
	@Scripts/install-missing test
	@seed=$${STRESS_SEED:-$$(date +%s)}; echo "STRESS_SEED=$$seed"; \
	  export SWBPF_STRESS_SEED=$$seed SWBPF_STRESS_SECONDS=$$(($(MINUTES) * 60)); \
	  Scripts/test --sanitize=thread --scratch-path .build-tsan --filter StressTests.LongRunTests && \
	  Scripts/test --sanitize=address --scratch-path .build-asan --filter StressTests.LongRunTests

fuzz:
	@Scripts/install-missing run
	@Scripts/fuzz '$(SECONDS)' $(FUZZ)

# Another seed each time, which is printed; FILTER_SEED=n repeats one.
fuzz-filter:
	@Scripts/install-missing run
	@seed=$${FILTER_SEED:-$$(date +%s)}; echo "FILTER_SEED=$$seed"; \
	  SWBPF_FILTER_SEED=$$seed SWBPF_FILTER_ROUNDS=$(ROUNDS) Scripts/test --filter NativeTests

check-hot-path: build
	@Scripts/check-hot-path $(BINARY)

bench: build
	Benchmarks/run $(BENCH)

corpus:
	@Scripts/install-missing test
	@Scripts/make-text-corpus

format:
	$(SWIFT) format --in-place --parallel -r $(SOURCES)

lint:
	$(SWIFT) format lint --strict --parallel -r $(SOURCES)

clean:
	rm -rf .build .build-library .build-tsan .build-asan .build-fuzz .build-explore
