// The KVM API, typed.
