package interop;

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.List;
import org.openmuc.jdlms.AttributeAccessMode;
import org.openmuc.jdlms.CosemAttribute;
import org.openmuc.jdlms.CosemClass;
import org.openmuc.jdlms.CosemInterfaceObject;
import org.openmuc.jdlms.CosemMethod;
import org.openmuc.jdlms.IllegalMethodAccessException;
import org.openmuc.jdlms.MethodResultCode;
import org.openmuc.jdlms.ObisCode;
import org.openmuc.jdlms.datatypes.BitString;
import org.openmuc.jdlms.datatypes.DataObject;
import org.openmuc.jdlms.datatypes.DataObject.Type;

/** Objects that jDLMS leaves to its user, and that clients act upon; the services are the library's. */
final class JdlmsControl {
    private JdlmsControl() {
    }

    private static int whole(DataObject data) {
        Number number = data.getValue();
        return number.intValue();
    }

    /** Class 70, mode 4. */
    @CosemClass(id = 70, version = 0)
    public static final class Breaker extends CosemInterfaceObject {
        @CosemAttribute(id = 2, accessMode = AttributeAccessMode.READ_ONLY, type = Type.BOOLEAN)
        private DataObject outputState = DataObject.newBoolData(true);

        @CosemAttribute(id = 3, accessMode = AttributeAccessMode.READ_ONLY, type = Type.ENUMERATE)
        private DataObject controlState = DataObject.newEnumerateData(1);

        @CosemAttribute(id = 4, accessMode = AttributeAccessMode.READ_ONLY, type = Type.ENUMERATE)
        private final DataObject controlMode = DataObject.newEnumerateData(4);

        Breaker(byte[] logicalName) {
            super(new ObisCode(logicalName));
        }

        @CosemMethod(id = 1, consumes = Type.INTEGER)
        public void remoteDisconnect(DataObject parameter) {
            outputState = DataObject.newBoolData(false);
            controlState = DataObject.newEnumerateData(0);
        }

        @CosemMethod(id = 2, consumes = Type.INTEGER)
        public void remoteReconnect(DataObject parameter) {
            outputState = DataObject.newBoolData(true);
            controlState = DataObject.newEnumerateData(1);
        }
    }

    /** Class 18: takes the blocks in their order, and verifies that they are the image that was to come. */
    @CosemClass(id = 18, version = 0)
    public static final class ImageTransfer extends CosemInterfaceObject {
        @CosemAttribute(id = 2, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject blockSize;

        @CosemAttribute(id = 3, accessMode = AttributeAccessMode.READ_ONLY, type = Type.BIT_STRING)
        private DataObject transferredBlocks = DataObject.newBitStringData(new BitString(new byte[0], 0));

        @CosemAttribute(id = 4, accessMode = AttributeAccessMode.READ_ONLY)
        private DataObject firstNotTransferred = DataObject.newUInteger32Data(0);

        @CosemAttribute(id = 5, accessMode = AttributeAccessMode.READ_ONLY, type = Type.BOOLEAN)
        private final DataObject enabled = DataObject.newBoolData(true);

        @CosemAttribute(id = 6, accessMode = AttributeAccessMode.READ_ONLY, type = Type.ENUMERATE)
        private DataObject status = DataObject.newEnumerateData(0);

        @CosemAttribute(id = 7, accessMode = AttributeAccessMode.READ_ONLY, type = Type.ARRAY)
        private DataObject info = DataObject.newArrayData(List.of());

        private final byte[] expected;
        private final ByteArrayOutputStream image = new ByteArrayOutputStream();
        private DataObject identifier;
        private DataObject size;

        ImageTransfer(Meter meter) {
            super(new ObisCode(meter.octets("image_transfer")));
            blockSize = DataObject.newUInteger32Data(meter.number("image_block"));
            expected = meter.octets("image");
        }

        private void count(int came) {
            int blocks = -(-whole(size) / whole(blockSize));
            byte[] bits = new byte[(blocks + 7) / 8];
            for (int block = 0; block < came; block++) {
                bits[block / 8] |= 0x80 >> block % 8;
            }
            transferredBlocks = DataObject.newBitStringData(new BitString(bits, blocks));
            firstNotTransferred = DataObject.newUInteger32Data(came);
        }

        @CosemMethod(id = 1, consumes = Type.STRUCTURE)
        public void initiate(DataObject parameter) {
            List<DataObject> fields = parameter.getValue();
            identifier = fields.get(0);
            size = fields.get(1);
            image.reset();
            count(0);
            status = DataObject.newEnumerateData(1);
        }

        @CosemMethod(id = 2, consumes = Type.STRUCTURE)
        public void transfer(DataObject parameter) throws IllegalMethodAccessException {
            List<DataObject> fields = parameter.getValue();
            if (whole(fields.get(0)) != whole(firstNotTransferred)) {
                throw new IllegalMethodAccessException(MethodResultCode.OTHER_REASON);
            }
            byte[] block = fields.get(1).getValue();
            image.write(block, 0, block.length);
            count(whole(firstNotTransferred) + 1);
        }

        @CosemMethod(id = 3, consumes = Type.INTEGER)
        public void verify(DataObject parameter) throws IllegalMethodAccessException {
            if (!Arrays.equals(image.toByteArray(), expected)) {
                status = DataObject.newEnumerateData(4);
                throw new IllegalMethodAccessException(MethodResultCode.OTHER_REASON);
            }
            status = DataObject.newEnumerateData(3);
            DataObject signature = DataObject.newOctetStringData(new byte[0]);
            info = DataObject.newArrayData(List.of(DataObject.newStructureData(size, identifier, signature)));
        }

        @CosemMethod(id = 4, consumes = Type.INTEGER)
        public void activate(DataObject parameter) {
            status = DataObject.newEnumerateData(6);
        }
    }
}
