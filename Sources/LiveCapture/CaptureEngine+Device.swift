// The engine as what opens bpf devices and knows interfaces by name.
import SwBPFBPF

extension CaptureEngine: BPF.InterfaceDirectory {
  /// Every interface, the newest first.
  package var interfaceNames: [String] { get throws { try Link.all().map(\.name).reversed() } }

  /// Opens a bpf device: a descriptor that behaves as an open `/dev/bpf`. It keeps the engine alive. (`bpfopen`)
  /// - Parameter reads: false for a descriptor that is only written to.
  /// - Throws: ENOMEM.
  public func openDevice(
    _ profile: BPF.Profile = .freebsd, reads: Bool = true, settings: BPF.Settings = .shared
  ) throws(BPF.Failure) -> BPF.Descriptor {
    var configuration = BPF.Descriptor.Configuration.device(profile, settings: settings)
    configuration.reads = reads
    configuration.directory = self
    return try BPF.Descriptor(configuration)
  }
}
