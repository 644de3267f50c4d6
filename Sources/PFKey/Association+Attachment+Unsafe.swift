// What a user of associations keeps with each: ESP's state. Any thread.
import Synchronization

extension Association {
  /// The object that was attached. Valid as long as the association is.
  @inline(__always) package var attachment: UnsafeRawPointer? {
    // SAFETY: put there by attach(_:), which holds a reference for the association.
    unsafe UnsafeRawPointer(bitPattern: attached.load(ordering: .acquiring))
  }

  /// Attaches an object, which lives as long as the association; the first one stays.
  package func attach(_ object: AnyObject) {
    let new = unsafe UInt(bitPattern: Unmanaged.passRetained(object).toOpaque())
    if !attached.compareExchange(expected: 0, desired: new, ordering: .acquiringAndReleasing).exchanged {
      // SAFETY: nobody saw it.
      unsafe Unmanaged.passUnretained(object).release()
    }
  }

  /// Called when nobody else has the association any more.
  func releaseAttachment() {
    guard let pointer = unsafe attachment else { return }
    // SAFETY: the reference of attach(_:).
    unsafe Unmanaged<AnyObject>.fromOpaque(pointer).release()
  }
}
