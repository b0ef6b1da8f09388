// The register structures are the kernel's own (see docs/adr/0001-kvm-typed.md), so who imports this module sees their
// fields without importing the shim as well.
@_exported public import CKVM
